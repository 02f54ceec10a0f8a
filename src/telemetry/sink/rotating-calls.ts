// The system calls of a log that nobody else may read and that never fills the disk: mode 0600, no link is followed, and a
// file that has grown to its limit moves aside (log, log.1, log.2 ...) until the oldest one is dropped.
import { close, constants, fchmodSync, fstatSync, openSync, renameSync, write } from 'node:fs'
import type { FileCalls } from './log-file.ts'

export interface Rotation {
  /** A file of this size moves aside; what was being written is still in it. */
  readonly maxBytes: number
  /** Files that have moved aside and are kept. */
  readonly keep: number
}

const { O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_WRONLY } = constants

/** `full`: the file has moved aside, and a new one is to be opened. `failed`: it stays as it is and grows on. */
export function rotatingCalls(path: string, { maxBytes, keep }: Rotation, full: () => void, failed: (error: unknown) => void): FileCalls {
  let size = 0
  const rotate = (): void => {
    size = 0 // also when it failed: the next try comes after as many bytes again
    try {
      moveAside(path, keep)
      full()
    } catch (error) {
      failed(error)
    }
  }
  return {
    open() {
      const file = openPrivate(path)
      size = fstatSync(file).size
      return file
    },
    write: (file, bytes, at, length, done) => write(file, bytes, at, length, null, (error, written) => {
      if (error === null) size += written
      if (size >= maxBytes) rotate()
      done(error, written)
    }),
    close: (file) => close(file, () => {}), // nothing is left to do about a failed close
  }
}

/** A file that was there may have had another mode. */
function openPrivate(path: string): number {
  const file = openSync(path, O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_WRONLY, 0o600)
  if (fstatSync(file).isFile()) fchmodSync(file, 0o600)
  return file
}

/** The oldest one first, so that none is written over but the last. */
function moveAside(path: string, keep: number): void {
  for (let number = keep; number > 1; number--) moveIfThere(`${path}.${number - 1}`, `${path}.${number}`)
  renameSync(path, `${path}.1`)
}

function moveIfThere(from: string, to: string): void {
  try {
    renameSync(from, to)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
  }
}
