// Where proxies of their own processes keep the code that node has compiled for them: half of what it takes to start one. Node's own
// folder is of whoever made it, and its parts are each of one user; the proxies are another one.
import { chownSync, lstatSync, mkdirSync } from 'node:fs'
import { enableCompileCache } from 'node:module'
import { join } from 'node:path'
import { proxyId } from '../../../agent/capture/capture-settings.ts'

/** Undefined: there is none, and proxies start slower. `rootless`: they are this user too. */
export function compileCacheFolder(rootless: boolean): string | undefined {
  const { directory } = enableCompileCache()
  if (directory === undefined || rootless) return directory
  try {
    // Code from a folder that others can write to would be theirs.
    if (!isOnlyOurs(directory)) return undefined
    const folder = join(directory, 'trysail-proxy')
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    chownSync(folder, proxyId, proxyId)
    return folder
  } catch {
    return undefined // a file system that is full, or read-only
  }
}

function isOnlyOurs(folder: string): boolean {
  const { uid, mode } = lstatSync(folder)
  return uid === process.getuid?.() && (mode & 0o022) === 0
}
