// Request ids in the form of random UUIDs, made without system calls: they must be unique, not secret.
import { randomFillSync } from 'node:crypto'

const dashes = new Set([8, 13, 18, 23])
const hex = Buffer.from('0123456789abcdef', 'latin1')

/** xorshift128, seeded by the system once. */
export function createRequestIds(seed: Uint32Array = randomFillSync(new Uint32Array(4))): () => string {
  let [x, y, z, w] = [seed[0]! | 1, seed[1]! | 0, seed[2]! | 0, seed[3]! | 0]
  const text = Buffer.alloc(36)
  for (const at of dashes) text[at] = 0x2d
  const places = [...text.keys()].filter((at) => !dashes.has(at))
  return () => {
    let bits = 0
    for (let i = 0; i < 32; i++) {
      if ((i & 7) === 0) {
        const t = x ^ (x << 11)
        x = y
        y = z
        z = w
        w = w ^ (w >>> 19) ^ t ^ (t >>> 8)
        bits = w
      }
      text[places[i]!] = hex[bits & 15]!
      bits >>>= 4
    }
    text[14] = 0x34
    text[19] = hex[8 | (w & 3)]!
    return text.toString('latin1', 0, 36)
  }
}
