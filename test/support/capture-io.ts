// An `Io` for tests of the command line: keeps what is printed.
import type { Io } from '../../src/cli/command.ts'

export interface CapturedIo extends Io {
  readonly out: () => string
  readonly err: () => string
}

export function captureIo(stdin = '', stop: AbortSignal = new AbortController().signal): CapturedIo {
  let out = ''
  let err = ''
  return {
    stdout: (text) => void (out += text),
    stderr: (text) => void (err += text),
    stdin: () => Promise.resolve(stdin),
    terminal: false,
    color: false,
    stop,
    out: () => out,
    err: () => err,
  }
}
