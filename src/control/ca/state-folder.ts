// Small secret files that are made once and kept: a folder of them appears whole or not at all, of several processes that
// start at a time one wins, and keys that are there are never written again.
import { constants } from 'node:fs'
import { mkdir, open, rename, rm, stat } from 'node:fs/promises'
import { randomBytes } from 'node:crypto'
import { dirname, join } from 'node:path'
import { systemCode } from './system-code.ts'
import { caError } from './errors.ts'

export type FolderContent = ReadonlyMap<string, string>

/** No file of ours is larger; a larger one is somebody else's. */
const maxFileBytes = 256 * 1024

/** Makes `folder` in `parent` unless it is there. The content is only asked for when it is needed. */
export async function createFolderOnce(parent: string, folder: string, content: () => FolderContent): Promise<void> {
  const path = join(parent, folder)
  try {
    if (await exists(path)) return
    await makeFolder(parent)
    await fill(parent, folder, content())
  } catch (error) {
    const reason = systemCode(error) === 'ENOENT' ? `no folder can be made in ${dirname(parent)}` : reasonOf(error)
    throw caError('ca/state', `cannot make ${path}: ${reason}`)
  }
}

/** With those above it. Node's own way never ends in a file system that makes no folders, as /proc. */
async function makeFolder(path: string): Promise<void> {
  try {
    await makeOne(path)
  } catch (error) {
    if (systemCode(error) !== 'ENOENT' || dirname(path) === path) throw error
    await makeFolder(dirname(path))
    await makeOne(path)
  }
}

async function makeOne(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 })
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error
  }
}

/** Renaming a folder onto one that is not empty fails: that is what makes one of several win. */
async function fill(parent: string, folder: string, content: FolderContent): Promise<void> {
  const temporary = join(parent, `.${folder}-${randomBytes(6).toString('hex')}`)
  try {
    await mkdir(temporary, { mode: 0o700 })
    for (const [name, text] of content) await writeDurably(join(temporary, name), text)
    await rename(temporary, join(parent, folder))
    await syncFolder(parent)
  } catch (error) {
    await rm(temporary, { recursive: true, force: true })
    if (!['ENOTEMPTY', 'EEXIST', 'EPERM'].includes(systemCode(error)) || !(await exists(join(parent, folder)))) throw error
  }
}

/** A reader sees the one or the other, never half of it. Not for keys. */
export async function replaceFile(path: string, text: string): Promise<void> {
  const temporary = join(dirname(path), `.${randomBytes(6).toString('hex')}`)
  try {
    await writeDurably(temporary, text)
    await rename(temporary, path)
    await syncFolder(dirname(path))
  } catch (error) {
    await rm(temporary, { force: true })
    throw caError('ca/state', `cannot write ${path}: ${reasonOf(error)}`)
  }
}

async function writeDurably(path: string, text: string): Promise<void> {
  await using file = await open(path, 'wx', 0o600)
  await file.writeFile(text)
  await file.sync()
}

/** Windows cannot open folders; there the name is durable when the system wants it to be. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return
  await using folder = await open(path, constants.O_RDONLY)
  await folder.sync()
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path)
    return true
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false
    throw error
  }
}

/** A secret that others can read is refused: they may have it already. */
export async function readSecretFile(path: string): Promise<string> {
  const { text, mode } = await read(path)
  if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
    throw caError('ca/state', `${path} can be read by others (mode ${(mode & 0o777).toString(8)}): chmod 600 it, if nobody else had it`)
  }
  return text
}

/** Undefined when it is not there. */
export async function readPresentFile(path: string): Promise<string | undefined> {
  return (await exists(path)) ? (await read(path)).text : undefined
}

async function read(path: string): Promise<{ readonly text: string; readonly mode: number }> {
  try {
    await using file = await open(path, 'r')
    const { mode, size } = await file.stat()
    if (size > maxFileBytes) throw caError('ca/state', `${path} has ${size} bytes, more than any file that was written there`)
    return { text: await file.readFile('utf8'), mode }
  } catch (error) {
    throw caError('ca/state', `cannot read ${path}: ${reasonOf(error)}`)
  }
}

function reasonOf(error: unknown): string {
  const code = systemCode(error)
  switch (code) {
    case 'ENOENT': return 'it is not there; restore it, or remove the whole folder to begin anew'
    case 'EACCES': return 'permission denied'
    case 'EROFS': return 'the file system is read-only'
    case 'ENOTDIR': return 'there is a file where a folder should be'
    default: return code === '' ? (error instanceof Error ? error.message : String(error)) : code
  }
}
