// For test files that make networks: when all of a file's tests are over, this machine is as it was before, and no process lives
// that any of them started, however it was started and whoever started it has ended since.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { until } from './until.ts'

/** Of <linux/prctl.h>: orphans below become our children, so that none gets out of sight. */
const childSubreaper = 36
/** Of <sys/wait.h>. */
const withoutWaiting = 1
const reapMs = 200

interface Library {
  load(path: string): { func(signature: string): (...values: readonly (number | null)[]) => number }
}

/** To be called once by a file, before its tests. */
export function leavesNothing(): void {
  if (process.platform !== 'linux') return
  adoptOrphans()
  const asItWas = machine()
  const folder = mkdtempSync(join(tmpdir(), 'trysail-netns-tests-'))
  chmodSync(folder, 0o1777) // as its parent: some of what tests start is another user
  // What node has compiled for all is kept where it was: without it everything starts half as fast.
  process.env['NODE_COMPILE_CACHE'] ??= join(tmpdir(), 'node-compile-cache')
  process.env['TMPDIR'] = folder
  after(async () => {
    await until(() => living().length === 0, () => `processes that still live: ${living().join('; ')}`, 15_000)
    assert.deepEqual(machine(), asItWas)
    // Empty folders are none: where programs look for each other stays, for the next one. Those of certificates go with this process.
    const left = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((one) => !one.isDirectory()).map(({ parentPath, name }) => join(parentPath, name)).filter((path) => !path.includes('/trysail-certificates-'))
    rmSync(folder, { recursive: true })
    assert.deepEqual(left, [], 'files that are left')
  })
}

function adoptOrphans(): void {
  const { load } = createRequire(import.meta.url)('koffi') as Library
  const library = load('libc.so.6')
  const prctl = library.func('int prctl(int option, ulong a, ulong b, ulong c, ulong d)')
  const waitpid = library.func('int waitpid(int pid, int* status, int options)')
  assert.equal(prctl(childSubreaper, 1, 0, 0, 0), 0)
  // Node asks for the ends of those that it started itself, at once. For the others nobody does but us: while nobody has, whoever
  // looks whether they live finds them.
  let seen = new Set<number>()
  setInterval(() => {
    const ended = deadChildren()
    for (const pid of ended) if (seen.has(pid)) waitpid(pid, null, withoutWaiting)
    seen = new Set(ended)
  }, reapMs).unref()
}

const deadChildren = (): readonly number[] =>
  readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').split(' ').filter((pid) => pid !== '').map(Number).filter((pid) => statusOf(pid).dead)

/** What networks, rules and mounts this machine's own network and file system have. */
function machine(): Readonly<Record<string, string>> {
  const shown = (program: string, ...args: readonly string[]): string => spawnSync(program, args, { encoding: 'utf8' }).stdout ?? ''
  return {
    interfaces: readdirSync('/sys/class/net').join(), namedNetworks: shown('ip', 'netns'), packetFilter: shown('nft', '--stateless', 'list', 'ruleset'),
    rules: `${shown('ip', 'rule')}${shown('ip', '-6', 'rule')}`, loopback: shown('ip', '-oneline', 'address', 'show', 'dev', 'lo'),
    mounts: readFileSync('/proc/self/mounts', 'utf8').split('\n').filter((line) => / \/etc\/|trysail/.test(line)).join('\n'),
  }
}

/** Below us, as `pid command`. */
function living(): readonly string[] {
  const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number).sort((one, other) => one - other).map((pid) => ({ pid, ...statusOf(pid) }))
  const below = new Set([process.pid])
  for (let grown = true; grown;) {
    const before = below.size
    for (const { pid, parent } of all) if (below.has(parent)) below.add(pid)
    grown = below.size > before
  }
  return all.filter(({ pid, dead }) => below.has(pid) && pid !== process.pid && !dead).map(({ pid }) => `${pid} ${commandOf(pid)}`)
}

/** Who has ended and waits to be asked why is dead. */
function statusOf(pid: number): { readonly parent: number; readonly dead: boolean } {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    return { parent: Number(/^PPid:\s+(\d+)/m.exec(status)?.[1] ?? 0), dead: /^State:\s+[ZX]/m.test(status) }
  } catch {
    return { parent: 0, dead: true }
  }
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').slice(0, 200)
  } catch {
    return 'that has ended meanwhile'
  }
}
