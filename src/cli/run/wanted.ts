// What shall run on this machine: every Process, those of gateways that nobody wrote down among them (implied-gateways.ts).
// Pure: resources in, wishes out.
import { dirname, resolve } from 'node:path'
import type { Resource } from '../../model/resource.ts'
import type { ProcessSpec } from '../../kinds/trysail/process.ts'
import type { GatewaySpec } from '../../kinds/networking/gateway.ts'
import type { Probe, WantedProcess } from './wanted-process.ts'

/** Gateways that only the mesh needs come last: a port of this machine that two want is for those that people ask. */
export function wantedProcesses(resources: readonly Resource[]): readonly WantedProcess[] {
  const all = resources.filter((one): one is Resource<ProcessSpec> => one.kind === 'Process').map(wantedProcess)
  return all.toSorted((one, other) => Number(isEgress(one)) - Number(isEgress(other)))
}

const isEgress = ({ proxyType, labels }: WantedProcess): boolean => proxyType === 'router' && (labels['istio'] ?? '').includes('egress')

/** Ports that Gateways are written for, each with its protocol, of the first where several share it. */
export function gatewayPortsOf(resources: readonly Resource[]): ReadonlyMap<number, string> {
  const gateways = resources.filter((one): one is Resource<GatewaySpec> => one.kind === 'Gateway')
  const ports = gateways.flatMap(({ spec }) => spec.servers.map(({ port }): [number, string] => [port.number, port.protocol]))
  return new Map(ports.toReversed())
}

/** Moving it within its file changes nothing. */
export function sameProcess({ origin: _one, ...one }: WantedProcess, { origin: _other, ...other }: WantedProcess): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}

function wantedProcess({ metadata, spec, origin }: Resource<ProcessSpec>): WantedProcess {
  const folder = origin.file === '-' ? '.' : dirname(origin.file)
  return {
    key: `${metadata.namespace}/${metadata.name}`,
    name: metadata.name,
    namespace: metadata.namespace,
    labels: metadata.labels,
    annotations: metadata.annotations,
    serviceAccount: spec.serviceAccount,
    proxyType: spec.proxyType,
    command: spec.command,
    workingDirectory: resolve(folder, spec.workingDir ?? '.'),
    env: spec.env,
    address: spec.address,
    ports: spec.ports.map(({ name, containerPort, hostPort }) => ({ name, containerPort, hostPort })),
    probe: probeOf(spec),
    graceMs: spec.terminationGracePeriodSeconds * 1000,
    origin,
  }
}

/** Without one of its own, a program is ready once its first port takes connections. */
function probeOf({ readiness, ports }: ProcessSpec): Probe | undefined {
  const first = ports[0]?.containerPort
  const containerPort = readiness?.httpGet?.port ?? readiness?.tcpSocket?.port ?? first
  if (containerPort === undefined) return undefined
  const get = readiness?.httpGet
  return {
    path: get?.path,
    scheme: get?.scheme ?? 'HTTP',
    headers: (get?.httpHeaders ?? []).map(({ name, value }) => [name, value] as const),
    containerPort,
    initialDelayMs: (readiness?.initialDelaySeconds ?? 0) * 1000,
    periodMs: (readiness?.periodSeconds ?? 1) * 1000,
    timeoutMs: (readiness?.timeoutSeconds ?? 1) * 1000,
    failureThreshold: readiness?.failureThreshold ?? 3,
  }
}
