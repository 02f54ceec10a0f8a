// How the tools find what runs on this machine: every `run`, `control` and `proxy` leaves a file that says where its admin
// and debug ports are, in a folder that only this user can read, and takes it away when it ends.
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import type { Address } from '../model/address.ts'

export interface RunningProxy {
  readonly name: string
  readonly namespace: string
  readonly admin: Address
}

export interface Running {
  readonly pid: number
  /** The control plane's debug server. */
  readonly debug?: Address
  readonly proxies: readonly RunningProxy[]
}

export interface Announcement {
  /** Replaces what was announced before. */
  update(running: Omit<Running, 'pid'>): void
  remove(): void
}

/** Only this user can read it. */
export const runtimeFolder = (): string => join(process.env['XDG_RUNTIME_DIR'] ?? join(tmpdir(), `trysail-${userName()}`), 'trysail')

/** A user that has no name, as 1337 on most machines, is known by its number. */
function userName(): string {
  try {
    return userInfo().username
  } catch {
    return String(process.geteuid?.() ?? 'unknown')
  }
}

export function announce(at = runtimeFolder()): Announcement {
  mkdirSync(at, { recursive: true, mode: 0o700 })
  const file = fileOf(process.pid, at)
  const remove = (): void => {
    process.off('exit', remove)
    rmSync(file, { force: true })
  }
  process.once('exit', remove)
  return {
    update: (running) => writeFileSync(file, JSON.stringify({ pid: process.pid, ...running }), { mode: 0o600 }),
    remove,
  }
}

const fileOf = (pid: number, at: string): string => join(at, `${pid}.json`)

/** For one that was killed. */
export const withdrawAnnouncement = (pid: number, at = runtimeFolder()): void => rmSync(fileOf(pid, at), { force: true })

/** Of a process whose parent announces it among its own. */
export const announcedByParent: Announcement = { update() {}, remove() {} }

/** Everything announced by processes that are still alive, the newest first. */
export function findRunning(at = runtimeFolder()): readonly Running[] {
  return filesIn(at).flatMap((file) => {
    const one = read(join(at, file))
    return one !== undefined && isAlive(one.pid) ? [one] : []
  }).sort((a, b) => b.pid - a.pid)
}

function filesIn(at: string): string[] {
  try {
    return readdirSync(at).filter((name) => name.endsWith('.json'))
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  }
}

function read(path: string): Running | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Running
  } catch (error) {
    // Half-written, or taken away meanwhile: as if it were not there.
    if (error instanceof SyntaxError || (error instanceof Error && 'code' in error)) return undefined
    throw error
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}
