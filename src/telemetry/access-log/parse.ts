// Takes a format apart into literal text and commands (`%NAME(argument):limit%`). What a command means is left to
// operators.ts.
import { MeshError } from '../../lib/errors.ts'

export interface Command {
  readonly name: string
  readonly argument: string | undefined
  /** `:Z`: at most so many characters. */
  readonly limit: number | undefined
  /** As written, for messages. */
  readonly text: string
}

export type FormatCode = 'telemetry/bad-format'
export const badFormat = (message: string) => new MeshError<FormatCode>('telemetry/bad-format', message)

/** Envoy's grammar of a command; the argument ends at the first `)` that lets the rest match. */
const command = /%([A-Z][A-Z0-9_]*)(?:\((.*?)\))?(?::(\d{1,6}))?%/y

/** `%%` is one percent sign. Throws `telemetry/bad-format`. */
export function parseFormat(format: string): (string | Command)[] {
  const parts: (string | Command)[] = []
  let literal = ''
  for (let at = 0; at < format.length;) {
    const percent = format.indexOf('%', at)
    literal += format.slice(at, percent === -1 ? undefined : percent)
    if (percent === -1) break
    if (format[percent + 1] === '%') {
      literal += '%'
      at = percent + 2
      continue
    }
    if (literal !== '') parts.push(literal)
    literal = ''
    const found = commandAt(format, percent)
    parts.push(found)
    at = percent + found.text.length
  }
  if (literal !== '') parts.push(literal)
  return parts
}

function commandAt(format: string, at: number): Command {
  command.lastIndex = at
  const match = command.exec(format)
  if (match === null) {
    throw badFormat(`"${format.slice(at, at + 40)}" does not begin with a command such as %PROTOCOL% or %REQ(NAME):100%; write %% for a percent sign`)
  }
  return { name: match[1]!, argument: match[2], limit: match[3] === undefined ? undefined : Number(match[3]), text: match[0] }
}
