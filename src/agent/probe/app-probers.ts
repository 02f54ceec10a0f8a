// The probes that an injector took from a Pod's containers and left to the agent (ISTIO_KUBE_APP_PROBERS, ops spec 1.8): JSON, keyed
// by the path at which kubelet asks now.
import { z } from 'zod'
import { describe } from '../../lib/errors.ts'
import type { Probe } from './probe.ts'

export interface AppProber {
  readonly probe: Exclude<Probe, { kind: 'exec' }>
  readonly timeoutMs: number
}

export type AppProbers = ReadonlyMap<string, AppProber>

const path = /^\/app-(health\/[^/]+\/(readyz|livez|startupz)|lifecycle\/[^/]+\/(prestopz|poststartz))$/

const port = z.preprocess((value) => (typeof value === 'string' && /^\d{1,5}$/.test(value) ? Number(value) : value), z.number().int().min(1).max(65_535))
const httpGet = z.object({
  path: z.string().default('/'),
  port,
  host: z.string().default(''),
  scheme: z.enum(['', 'HTTP', 'HTTPS']).default(''),
  httpHeaders: z.array(z.object({ name: z.string(), value: z.string().default('') })).nullish(),
})
const prober = z.object({
  httpGet: httpGet.nullish(),
  tcpSocket: z.object({ host: z.string().default(''), port }).nullish(),
  grpc: z.object({ port, service: z.string().nullish() }).nullish(),
  timeoutSeconds: z.number().int().min(0).default(0),
}).refine((one) => [one.httpGet, one.tcpSocket, one.grpc].filter((given) => given !== null && given !== undefined).length === 1, 'must have one of httpGet, tcpSocket and grpc')

const schema = z.record(z.string().regex(path, 'must be /app-health/CONTAINER/readyz, livez or startupz, or /app-lifecycle/CONTAINER/prestopz or poststartz'), prober)

/** What Kubernetes takes where a probe does not say. */
const defaultTimeoutSeconds = 1

/** Of a variable's text; empty for none. What is wrong is added to `mistakes`. */
export function readAppProbers(text: string, mistakes: string[]): AppProbers {
  if (text === '') return new Map()
  const read = schema.safeParse(parsed(text, mistakes) ?? {})
  if (!read.success) mistakes.push(...read.error.issues.map(({ path: at, message }) => `ISTIO_KUBE_APP_PROBERS: ${at.join('.')}: ${message}`))
  return new Map(Object.entries(read.data ?? {}).map(([at, one]) => [at, proberOf(one)]))
}

function parsed(text: string, mistakes: string[]): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    mistakes.push(`ISTIO_KUBE_APP_PROBERS is no JSON: ${describe(error)}`)
    return undefined
  }
}

function proberOf({ timeoutSeconds, ...one }: z.infer<typeof prober>): AppProber {
  return { probe: probeOf(one), timeoutMs: (timeoutSeconds || defaultTimeoutSeconds) * 1000 }
}

function probeOf({ httpGet: http, tcpSocket, grpc }: Omit<z.infer<typeof prober>, 'timeoutSeconds'>): AppProber['probe'] {
  if (tcpSocket != null) return { kind: 'tcp', ...tcpSocket }
  if (grpc != null) return { kind: 'grpc', port: grpc.port, service: grpc.service ?? '' }
  const { scheme, httpHeaders, path: given, host, port: number } = http! // the schema wants one of the three
  return { kind: 'http', host, port: number, path: given.startsWith('/') ? given : `/${given}`, tls: scheme === 'HTTPS', headers: (httpHeaders ?? []).map(({ name, value }) => [name, value]) }
}
