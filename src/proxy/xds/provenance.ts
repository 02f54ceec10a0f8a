// Where a listener, chain, route or cluster came from, as the control plane says in `filter_metadata.trysail`. Other
// control planes say nothing there, and everything works without it.
import type { JsonObject, JsonValue } from '@bufbuild/protobuf'
import type { Metadata } from '../../proto/gen/envoy/config/core/v3/base_pb.ts'

export interface Provenance {
  /** `Gateway/default/bookinfo-gateway`, or empty. */
  readonly resource: string
  readonly rule: number | undefined
  readonly match: number | undefined
  readonly file: string
  readonly line: number
}

const unknown: Provenance = { resource: '', rule: undefined, match: undefined, file: '', line: 0 }

export function provenanceOf(metadata: Metadata | undefined): Provenance {
  const fields = metadata?.filterMetadata['trysail']
  if (fields === undefined) return unknown
  return {
    resource: textOf(fields, 'resource') ?? '',
    rule: numberOf(fields, 'rule'),
    match: numberOf(fields, 'match'),
    file: textOf(fields, 'file') ?? '',
    line: numberOf(fields, 'line') ?? 0,
  }
}

/** `Gateway default/bookinfo-gateway (gateway.yaml:3)`; empty when nothing is known. */
export function describeProvenance({ resource, file, line }: Provenance): string {
  if (resource === '') return ''
  const [kind = '', ...rest] = resource.split('/')
  return `${kind} ${rest.join('/')}${file === '' ? '' : ` (${file}:${line})`}`
}

function textOf(fields: JsonObject, name: string): string | undefined {
  const value: JsonValue | undefined = fields[name]
  return typeof value === 'string' ? value : undefined
}

function numberOf(fields: JsonObject, name: string): number | undefined {
  const value: JsonValue | undefined = fields[name]
  return typeof value === 'number' ? value : undefined
}
