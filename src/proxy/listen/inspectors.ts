// Decodes listener filters: which connections may be looked at before a filter chain is chosen, and for how long.
import { anyUnpack } from '@bufbuild/protobuf/wkt'
import { MeshError } from '../../lib/errors.ts'
import type { Listener } from '../../proto/gen/envoy/config/listener/v3/listener_pb.ts'
import type { ListenerFilter, ListenerFilterChainMatchPredicate } from '../../proto/gen/envoy/config/listener/v3/listener_components_pb.ts'
import { HttpInspectorSchema } from '../../proto/gen/envoy/extensions/filters/listener/http_inspector/v3/http_inspector_pb.ts'
import { OriginalDstSchema } from '../../proto/gen/envoy/extensions/filters/listener/original_dst/v3/original_dst_pb.ts'
import { OriginalSrcSchema } from '../../proto/gen/envoy/extensions/filters/listener/original_src/v3/original_src_pb.ts'
import { ProxyProtocolSchema } from '../../proto/gen/envoy/extensions/filters/listener/proxy_protocol/v3/proxy_protocol_pb.ts'
import { TlsInspectorSchema } from '../../proto/gen/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb.ts'
import { milliseconds } from '../xds/duration.ts'

/** Whether an inspector runs for a connection to this destination port. */
export type InspectorSwitch = (destinationPort: number) => boolean

export interface Inspectors {
  readonly originalDestination: boolean
  /** Clients are behind a proxy that says first who they are. */
  readonly proxyProtocol: boolean
  /** Hosts see the client's own address; packets to them have this mark, so that answers find their way back. Undefined: they see ours. */
  readonly originalSource: number | undefined
  readonly tls: InspectorSwitch
  readonly http: InspectorSwitch
  /** How long a silent client is waited for. */
  readonly timeoutMs: number
  /** No limit was asked for: who speaks first is found out from both sides. */
  readonly patient: boolean
  /** A silent client then gets the chain that asks for nothing, which is what server-first protocols need. */
  readonly continueOnTimeout: boolean
}

/** Envoy's default for `listener_filters_timeout`. */
const defaultTimeoutMs = 15_000
/** Istio writes 0, no limit. Nothing waits forever here: the limit is that of an idle HTTP connection. */
const noTimeoutMs = 3_600_000

const never: InspectorSwitch = () => false

export function decodeInspectors(listener: Listener): Inspectors {
  const asked = listener.listenerFiltersTimeout === undefined ? defaultTimeoutMs : milliseconds(listener.listenerFiltersTimeout)
  const found = { originalDestination: listener.useOriginalDst ?? false, proxyProtocol: false, originalSource: undefined as number | undefined, tls: never, http: never }
  for (const filter of listener.listenerFilters) {
    switch (kindOf(filter)) {
      case OriginalDstSchema.typeName: found.originalDestination = true; break
      case OriginalSrcSchema.typeName: found.originalSource = markOf(filter); break
      case ProxyProtocolSchema.typeName: found.proxyProtocol = true; break
      case TlsInspectorSchema.typeName: found.tls = switchOf(filter); break
      case HttpInspectorSchema.typeName: found.http = switchOf(filter); break
      default: throw new MeshError('proxy/bad-config', `listener filter ${filter.name} is not supported`)
    }
  }
  return { ...found, timeoutMs: asked === 0 ? noTimeoutMs : asked, patient: asked === 0, continueOnTimeout: listener.continueOnListenerFiltersTimeout }
}

function kindOf(filter: ListenerFilter): string {
  const config = filter.configType
  if (config.case !== 'typedConfig') throw new MeshError('proxy/bad-config', `listener filter ${filter.name} has no typed_config`)
  const schemas = [OriginalDstSchema, OriginalSrcSchema, ProxyProtocolSchema, TlsInspectorSchema, HttpInspectorSchema]
  const known = schemas.find((schema) => config.value.typeUrl.endsWith(`/${schema.typeName}`))
  if (known !== undefined) anyUnpack(config.value, known)
  return known?.typeName ?? ''
}

function markOf({ configType: config }: ListenerFilter): number {
  return (config.case === 'typedConfig' ? anyUnpack(config.value, OriginalSrcSchema)?.mark : undefined) ?? 0
}

function switchOf({ filterDisabled }: ListenerFilter): InspectorSwitch {
  if (filterDisabled === undefined) return () => true
  const disabled = compilePredicate(filterDisabled)
  return (port) => !disabled(port)
}

function compilePredicate({ rule }: ListenerFilterChainMatchPredicate): InspectorSwitch {
  switch (rule.case) {
    case 'anyMatch': return () => true
    case 'notMatch': return inverse(compilePredicate(rule.value))
    case 'orMatch': return joined(rule.value.rules.map(compilePredicate), (rules, port) => rules.some((test) => test(port)))
    case 'andMatch': return joined(rule.value.rules.map(compilePredicate), (rules, port) => rules.every((test) => test(port)))
    case 'destinationPortRange': {
      const { start, end } = rule.value
      return (port) => port >= start && port < end
    }
    default: throw new MeshError('proxy/bad-config', 'filter_disabled without a rule')
  }
}

const inverse = (test: InspectorSwitch): InspectorSwitch => (port) => !test(port)

function joined(rules: readonly InspectorSwitch[], how: (rules: readonly InspectorSwitch[], port: number) => boolean): InspectorSwitch {
  return (port) => how(rules, port)
}
