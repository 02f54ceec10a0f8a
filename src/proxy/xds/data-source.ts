// Reads Envoy's DataSource. Only what stands in the message itself: a control plane must not make a proxy read files or
// its environment.
import { MeshError } from '../../lib/errors.ts'
import type { DataSource } from '../../proto/gen/envoy/config/core/v3/base_pb.ts'

/** Undefined when the source is absent; `what` names it in the error. */
export function inlineText(source: DataSource | undefined, what: string): string | undefined {
  const specifier = source?.specifier
  switch (specifier?.case) {
    case undefined: return undefined
    case 'inlineString': return specifier.value
    case 'inlineBytes': return Buffer.from(specifier.value).toString('utf8')
    default: throw new MeshError('proxy/bad-config', `${what}: only inline data is read, not ${specifier!.case}`)
  }
}
