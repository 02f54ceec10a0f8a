// JSON formats: an object of the configuration, compiled once into a flat list of writers. One line for each entry, always
// ASCII and always valid JSON. Numbers stay numbers, unknown values are null or leave their member out.
import type { AccessLogEntry } from '../access-log-entry.ts'
import { asciiJson, jsonString } from './escape.ts'
import { operatorOf } from './operators.ts'
import { badFormat, parseFormat } from './parse.ts'
import type { Command } from './parse.ts'
import { compileText } from './text-format.ts'
import type { FormatEntry, FormatOptions } from './text-format.ts'

export type JsonFormat = { readonly [name: string]: JsonFormatValue }
export type JsonFormatValue = null | number | boolean | string | readonly JsonFormatValue[] | JsonFormat

/** A JSON text; undefined: not known. A string: the same for every entry. */
type Value = string | ((entry: AccessLogEntry) => string | undefined)

/** Deeper objects are a mistake, or meant to exhaust the stack. */
const maxDepth = 16

/** Throws `telemetry/bad-format`. The line ends with a newline. */
export function compileJson(format: JsonFormat, { omitEmpty = false }: FormatOptions = {}): FormatEntry {
  const value = compileObject(format, omitEmpty, 0)
  if (typeof value === 'string') return () => `${value}\n`
  return (entry) => `${value(entry) ?? '{}'}\n`
}

function compileValue(value: JsonFormatValue, omitEmpty: boolean, depth: number): Value {
  if (depth > maxDepth) throw badFormat(`the JSON format is deeper than ${maxDepth} levels`)
  if (typeof value === 'string') return compileString(value, omitEmpty)
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  return isList(value) ? compileList(value, omitEmpty, depth) : compileObject(value, omitEmpty, depth)
}

const isList = (value: readonly JsonFormatValue[] | JsonFormat): value is readonly JsonFormatValue[] => Array.isArray(value)

/** One command alone keeps its type; mixed with text it becomes a string. */
function compileString(format: string, omitEmpty: boolean): Value {
  const parts = parseFormat(format)
  if (parts.every((part) => typeof part === 'string')) return asciiJson(parts.join(''))
  const only = parts[0]
  if (parts.length === 1 && typeof only === 'object') return commandValue(only)
  const line = compileText(format, { omitEmpty, raw: true })
  return (entry) => jsonString(line(entry))
}

function commandValue(command: Command): Value {
  const operator = operatorOf(command)
  if (operator.kind === 'number') return (entry) => operator.read(entry)?.toString()
  const { read } = operator
  const safe = operator.kind === 'clean'
  return (entry) => {
    const value = read(entry)
    return value === undefined ? undefined : safe ? `"${value}"` : jsonString(value)
  }
}

function compileObject(format: JsonFormat, omitEmpty: boolean, depth: number): Value {
  const members = Object.entries(format).map(([name, value]) => ({ name: `${asciiJson(name)}:`, value: compileValue(value, omitEmpty, depth + 1) }))
  return compileMembers('{', members, '}', omitEmpty)
}

function compileList(format: readonly JsonFormatValue[], omitEmpty: boolean, depth: number): Value {
  return compileMembers('[', format.map((value) => ({ name: '', value: compileValue(value, omitEmpty, depth + 1) })), ']', false)
}

interface Member {
  readonly name: string
  readonly value: Value
}

function compileMembers(open: string, members: readonly Member[], close: string, omitEmpty: boolean): Value {
  if (members.every(({ value }) => typeof value === 'string')) return open + members.map(({ name, value }) => name + String(value)).join(',') + close
  return omitEmpty ? omitting(open, members, close) : complete(open, members, close)
}

/** All that is constant between two values is one text. */
function complete(open: string, members: readonly Member[], close: string): Value {
  const before: string[] = []
  const writers: ((entry: AccessLogEntry) => string | undefined)[] = []
  let literal = open
  for (const [i, { name, value }] of members.entries()) {
    literal += (i === 0 ? '' : ',') + name
    if (typeof value === 'string') {
      literal += value
      continue
    }
    before.push(literal)
    writers.push(value)
    literal = ''
  }
  const after = literal + close
  return (entry) => {
    let line = ''
    for (let i = 0; i < writers.length; i++) line += before[i]! + (writers[i]!(entry) ?? 'null')
    return line + after
  }
}

/** Undefined when nothing is left of it. */
function omitting(open: string, members: readonly Member[], close: string): Value {
  return (entry) => {
    let line = ''
    for (const { name, value } of members) {
      const written = typeof value === 'string' ? value : value(entry)
      if (written !== undefined) line += (line === '' ? open : ',') + name + written
    }
    return line === '' ? undefined : line + close
  }
}
