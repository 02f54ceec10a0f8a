// What the soak judges by: it sees what is held, to a tenth, and no garbage.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { heldBy } from '../../bench/held-memory.ts'

const skip = process.platform === 'linux' ? false : 'only on Linux'
const MiB = 2 ** 20

/** `hold N` and `drop N`: N buffers of 1 KB and as many objects. */
const program = `
import { answerHeldMemory } from '${new URL('../../bench/held-memory.ts', import.meta.url).href}'
answerHeldMemory()
const held = []
process.on('message', ([what, count]) => {
  for (let i = 0; i < count; i++) {
    const one = { number: i, bytes: Buffer.alloc(1024) }
    if (what === 'hold') held.push(one)
  }
  process.send(held.length)
})
process.send('ready')
`

test('a leak of 1 KB a request is what is held more, and garbage is not', { skip, timeout: 60_000 }, async () => {
  const child = spawn(process.execPath, ['--expose-gc', '--input-type=module', '-e', program], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  try {
    await once(child, 'message')
    const grownBy = async (what: 'hold' | 'drop', count: number): Promise<number> => {
      const before = await heldBy(child.pid!)
      child.send([what, count])
      await once(child, 'message')
      return (await heldBy(child.pid!)).dataBytes - before.dataBytes
    }
    await grownBy('drop', 10_000)
    assert.ok((await grownBy('drop', 10_000)) < 1.5 * MiB, 'garbage')
    const grown = await grownBy('hold', 10_000)
    assert.ok(grown > 9 * MiB && grown < 16 * MiB, `10 MB and as many objects: ${grown}`)
  } finally {
    child.kill()
  }
})
