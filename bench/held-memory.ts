// How much a proxy holds that is no garbage: what the soak looks at. Collections come when V8 likes, and resident memory rises and
// falls by tens of megabytes between them; what is held does not. Needs --expose-gc.
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { getHeapSpaceStatistics } from 'node:v8'
import { openAllocated } from './allocated-memory.ts'

export interface Held {
  /** Objects, and what the C library has given out: buffers, and what OpenSSL and libuv hold. */
  readonly dataBytes: number
  /** Machine code and bytecode: V8 compiles, drops and compiles again for as long as a process lives. */
  readonly codeBytes: number
}

/** V8's spaces for code; bytecode is in the trusted ones. */
const isOfCode = (space: string): boolean => space.includes('code') || space.includes('trusted')

const fileOf = (pid: number): string => join(tmpdir(), `trysail-held-${pid}`)

/** In the proxy: SIGUSR2 asks for it. */
export function answerHeldMemory(): void {
  const collect: unknown = Reflect.get(globalThis, 'gc')
  if (typeof collect !== 'function') return
  const allocated = openAllocated()
  process.on('SIGUSR2', () => {
    // Buffers that the first finds dead are freed beside it; the second waits for that.
    for (let i = 0; i < 2; i++) Reflect.apply(collect, undefined, [])
    const held: Held = { dataBytes: heapBytes((space) => !isOfCode(space)) + allocated(), codeBytes: heapBytes(isOfCode) }
    const file = fileOf(process.pid)
    writeFileSync(`${file}.new`, JSON.stringify(held))
    renameSync(`${file}.new`, file)
  })
}

const heapBytes = (counts: (space: string) => boolean): number =>
  getHeapSpaceStatistics().reduce((sum, { space_name: space, space_used_size: used }) => sum + (counts(space) ? used : 0), 0)

/** Of another process. */
export async function heldBy(pid: number): Promise<Held> {
  const file = fileOf(pid)
  process.kill(pid, 'SIGUSR2')
  for (let waited = 0; !existsSync(file); waited += 20) {
    if (waited > 10_000) throw new Error(`process ${pid} does not say what it holds`)
    await sleep(20)
  }
  const held = JSON.parse(readFileSync(file, 'utf8')) as Held
  rmSync(file)
  return held
}
