// Header operations of a route and everything around it, flattened into one list in the order in which Envoy runs them.
import type { HeaderList } from '../../../codec/header-list.ts'
import { isFieldName, isFieldValue } from '../../../codec/h1/characters.ts'
import type { HeaderValueOption } from '../../../proto/gen/envoy/config/core/v3/base_pb.ts'
import { HeaderValueOption_HeaderAppendAction as AppendAction } from '../../../proto/gen/envoy/config/core/v3/base_pb.ts'
import type { AccessLogEntry } from '../../../telemetry/access-log-entry.ts'
import { compileFormat } from './format.ts'
import type { Format } from './format.ts'
import { badConfig } from './problem.ts'

type Kind = 'remove' | 'set' | 'append' | 'add-if-absent' | 'set-if-present'

export interface HeaderEdit {
  readonly kind: Kind
  readonly name: string
  readonly value: string | Format
  readonly keepEmpty: boolean
}

/** What one level says: route table, virtual host, route or weighted cluster. */
export interface HeaderLevel {
  readonly requestHeadersToAdd: readonly HeaderValueOption[]
  readonly requestHeadersToRemove: readonly string[]
  readonly responseHeadersToAdd: readonly HeaderValueOption[]
  readonly responseHeadersToRemove: readonly string[]
}

export interface HeaderEdits {
  readonly request: readonly HeaderEdit[]
  readonly response: readonly HeaderEdit[]
}

/** `levels` in the order in which they run; within each, removals come first. */
export function compileHeaderEdits(levels: readonly HeaderLevel[]): HeaderEdits {
  return {
    request: levels.flatMap((level) => edits(level.requestHeadersToRemove, level.requestHeadersToAdd)),
    response: levels.flatMap((level) => edits(level.responseHeadersToRemove, level.responseHeadersToAdd)),
  }
}

export function applyHeaderEdits(edits: readonly HeaderEdit[], headers: HeaderList, entry: AccessLogEntry): void {
  for (let i = 0; i < edits.length; i++) apply(edits[i]!, headers, entry)
}

function apply({ kind, name, value: format, keepEmpty }: HeaderEdit, headers: HeaderList, entry: AccessLogEntry): void {
  if (kind === 'remove') return headers.remove(name)
  const value = typeof format === 'string' ? format : clean(format(entry))
  if (value === '' && !keepEmpty) return
  if (kind === 'append') headers.add(name, value)
  else if (kind === 'set' || headers.has(name) === (kind === 'set-if-present')) headers.set(name, value)
}

/** What a client said must not be able to end the field that it is put into. */
function clean(value: string | undefined): string {
  if (value === undefined) return ''
  return isFieldValue(value) ? value : ''
}

function edits(removed: readonly string[], added: readonly HeaderValueOption[]): HeaderEdit[] {
  return [
    ...removed.map((name) => ({ kind: 'remove' as const, name: checkedName(name), value: '', keepEmpty: true })),
    ...added.map(addition),
  ]
}

function addition(option: HeaderValueOption): HeaderEdit {
  const { header, keepEmptyValue } = option
  const name = checkedName(header?.key ?? '')
  const text = header?.value === '' && header.rawValue.length > 0 ? Buffer.from(header.rawValue).toString('latin1') : (header?.value ?? '')
  if (!isFieldValue(text)) throw badConfig(`the value of header ${name} has characters that a header cannot carry`)
  return { kind: kindOf(option), name, value: compileFormat(text), keepEmpty: keepEmptyValue }
}

function checkedName(text: string): string {
  const name = text.toLowerCase()
  if (name === 'host' || !isFieldName(name)) throw badConfig(`header ${text === '' ? '(empty)' : text} cannot be added, set or removed`)
  return name
}

/** `append` is the older way to say it. */
function kindOf({ append, appendAction }: HeaderValueOption): Kind {
  if (append !== undefined) return append ? 'append' : 'set'
  switch (appendAction) {
    case AppendAction.APPEND_IF_EXISTS_OR_ADD: return 'append'
    case AppendAction.ADD_IF_ABSENT: return 'add-if-absent'
    case AppendAction.OVERWRITE_IF_EXISTS: return 'set-if-present'
    case AppendAction.OVERWRITE_IF_EXISTS_OR_ADD: return 'set'
    default: throw badConfig(`append_action ${String(appendAction)} is not known`)
  }
}
