// How much a proxy holds that is no garbage: what the soak looks at. Collections come when V8 likes, and resident memory rises and
// falls by tens of megabytes between them; what is held does not. Needs --expose-gc.
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const fileOf = (pid: number): string => join(tmpdir(), `trysail-held-${pid}`)

/** In the proxy: SIGUSR2 asks for it. */
export function answerHeldMemory(): void {
  const collect: unknown = Reflect.get(globalThis, 'gc')
  if (typeof collect !== 'function') return
  process.on('SIGUSR2', () => {
    Reflect.apply(collect, undefined, [])
    const { heapUsed, external } = process.memoryUsage()
    const file = fileOf(process.pid)
    writeFileSync(`${file}.new`, String(heapUsed + external + allocatedBytes()))
    renameSync(`${file}.new`, file)
  })
}

/** What the C library has taken from the system, of which OpenSSL and libuv live. V8's own spaces are not in it. */
function allocatedBytes(): number {
  const found = /\[heap\]\nSize: .*\n(?:\w.*\n)*?Rss: +(\d+) kB/.exec(readFileSync('/proc/self/smaps', 'latin1'))
  return Number(found?.[1] ?? 0) * 1024
}

/** Of another process. */
export async function heldBytes(pid: number): Promise<number> {
  const file = fileOf(pid)
  process.kill(pid, 'SIGUSR2')
  for (let waited = 0; !existsSync(file); waited += 20) {
    if (waited > 10_000) throw new Error(`process ${pid} does not say what it holds`)
    await sleep(20)
  }
  const held = Number(readFileSync(file, 'utf8'))
  rmSync(file)
  return held
}
