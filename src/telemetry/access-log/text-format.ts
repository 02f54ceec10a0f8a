// Text formats, compiled once into a flat list of writers.
import type { AccessLogEntry } from '../access-log-entry.ts'
import { bytesOf, escapeText, escapeWord, latin1Of } from './escape.ts'
import { operatorOf } from './operators.ts'
import type { Operator } from './operators.ts'
import { parseFormat } from './parse.ts'

/** A line of latin1, which stands for bytes. */
export type FormatEntry = (entry: AccessLogEntry) => string

/** What Envoy writes when no format is given. */
export const envoyFormat = '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% '
  + '%BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" '
  + '"%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%"\n'

export interface FormatOptions {
  /** What is not known leaves nothing in a text, and no member in JSON. */
  readonly omitEmpty?: boolean
  /** Values as they are, for one who escapes the whole. */
  readonly raw?: boolean
}

/** Throws `telemetry/bad-format`. The line ends as the format does. */
export function compileText(format: string, { omitEmpty = false, raw = false }: FormatOptions = {}): FormatEntry {
  const before: string[] = []
  const writers: FormatEntry[] = []
  let literal = ''
  for (const part of parseFormat(format)) {
    if (typeof part === 'string') {
      literal += latin1Of(part)
      continue
    }
    before.push(literal)
    writers.push(textWriter(operatorOf(part), omitEmpty ? '' : '-', raw))
    literal = ''
  }
  const after = literal
  return (entry) => {
    let line = ''
    for (let i = 0; i < writers.length; i++) line += before[i]! + writers[i]!(entry)
    return line + after
  }
}

function textWriter(operator: Operator, missing: string, raw: boolean): FormatEntry {
  switch (operator.kind) {
    case 'number': return (entry) => String(operator.read(entry) ?? missing)
    case 'clean': return (entry) => operator.read(entry) ?? missing
    case 'steady': return escaped(operator.read, remembering(raw ? bytesOf : escapeText), missing)
    case 'text': return escaped(operator.read, raw ? bytesOf : escapeText, missing)
    case 'word': return escaped(operator.read, remembering(raw ? bytesOf : escapeWord), missing)
  }
}

function escaped(read: (entry: AccessLogEntry) => string | undefined, escape: (value: string) => string, missing: string): FormatEntry {
  return (entry) => {
    const value = read(entry)
    return value === undefined || value === '' ? missing : escape(value)
  }
}

/** Entries that follow each other mostly have the same: comparing it costs less than looking at each character. */
function remembering(escape: (value: string) => string): (value: string) => string {
  let last = ''
  let escapedLast = ''
  return (value) => {
    if (value === last) return escapedLast
    last = value
    return (escapedLast = escape(value))
  }
}
