// Keeps the lines of several threads whole that write to one pipe, terminal or socket. Each write to a regular file that is
// opened for appending is one piece already; to a pipe only one of 4 KB is (POSIX, PIPE_BUF). So writes are cut there, after a
// line. A line that is longer by itself may be torn where the pipe is full.
import { fstatSync } from 'node:fs'
import type { FileCalls } from './log-file.ts'

const pipeBytes = 4096
const newline = 10

export function wholeLines(calls: FileCalls): FileCalls {
  /** By descriptor; a number that is used again is asked anew. */
  const regular = new Map<number, boolean>()
  return {
    open(path) {
      const file = calls.open(path)
      regular.delete(file)
      return file
    },
    write(file, bytes, at, length, done) {
      let isRegular = regular.get(file)
      if (isRegular === undefined) regular.set(file, isRegular = isRegularFile(file))
      calls.write(file, bytes, at, isRegular || length <= pipeBytes ? length : cut(bytes, at, length), done)
    },
    close(file) {
      regular.delete(file)
      calls.close(file)
    },
  }
}

function isRegularFile(file: number): boolean {
  try {
    return fstatSync(file).isFile()
  } catch {
    return false // the write will say why
  }
}

/** After the last line that fits; else after the first. */
function cut(bytes: Buffer, at: number, length: number): number {
  const last = bytes.lastIndexOf(newline, at + pipeBytes - 1)
  const end = last >= at ? last : bytes.indexOf(newline, at)
  return end < 0 || end >= at + length ? length : end + 1 - at
}
