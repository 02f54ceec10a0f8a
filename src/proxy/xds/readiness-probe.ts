// PCDS as the proxy takes it: how its application is to be asked whether it is well (traffic spec 1.8), as values for whoever
// asks. The control plane has filled the defaults in.
import { fromBinary } from '@bufbuild/protobuf'
import { describe } from '../../lib/errors.ts'
import { ProxyConfigSchema } from '../../proto/gen/istio/mesh/v1alpha1/proxy_pb.ts'
import type { ReadinessProbe as Message } from '../../proto/gen/istio/networking/v1alpha3/workload_group_pb.ts'
import type { XdsUpdate } from '../main-updates.ts'

export interface ReadinessProbe {
  readonly initialDelayMs: number
  readonly periodMs: number
  readonly timeoutMs: number
  readonly successThreshold: number
  readonly failureThreshold: number
  readonly method: ProbeMethod
}

export type ProbeMethod =
  | { readonly kind: 'http'; readonly host: string; readonly port: number; readonly path: string; readonly tls: boolean; readonly headers: readonly (readonly [name: string, value: string])[] }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'exec'; readonly command: readonly string[] }

/** Undefined: nothing is to be asked. */
export function takeProbe(onProbe: (probe: ReadinessProbe | undefined) => void): (update: XdsUpdate) => string | undefined {
  return ({ resources, removed }) => {
    const last = resources.at(-1)
    if (last === undefined && removed.length === 0) return undefined
    try {
      const message = last === undefined ? undefined : fromBinary(ProxyConfigSchema, last.any.value).readinessProbe
      onProbe(message === undefined ? undefined : probeOf(message))
      return undefined
    } catch (error) {
      return `not a set-up of an agent: ${describe(error)}`
    }
  }
}

function probeOf(message: Message): ReadinessProbe | undefined {
  const method = methodOf(message)
  return method === undefined ? undefined : {
    initialDelayMs: message.initialDelaySeconds * 1000,
    periodMs: message.periodSeconds * 1000,
    timeoutMs: message.timeoutSeconds * 1000,
    successThreshold: message.successThreshold,
    failureThreshold: message.failureThreshold,
    method,
  }
}

function methodOf({ healthCheckMethod: { case: kind, value } }: Message): ProbeMethod | undefined {
  if (kind === 'exec') return { kind: 'exec', command: value.command }
  if (kind === 'tcpSocket') return { kind: 'tcp', host: value.host, port: value.port }
  if (kind === undefined) return undefined
  const { host, port, path, scheme, httpHeaders } = value
  return { kind: 'http', host, port, path: path.startsWith('/') ? path : `/${path}`, tls: scheme === 'HTTPS', headers: httpHeaders.map((one) => [one.name, one.value]) }
}
