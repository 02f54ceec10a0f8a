// What shall run on this machine: every Process of the files, and a gateway for each selector of a Gateway that no router
// Process answers to. Pure: resources in, wishes out.
import { dirname, resolve } from 'node:path'
import type { Resource } from '../../model/resource.ts'
import type { ProcessSpec } from '../../kinds/trysail/process.ts'
import type { GatewaySpec } from '../../kinds/networking/gateway.ts'
import type { Probe, WantedProcess } from './wanted-process.ts'

/** Where Istio installs the gateways that nobody wrote down. */
const gatewayNamespace = 'istio-system'

export function wantedProcesses(resources: readonly Resource[]): readonly WantedProcess[] {
  const written = resources.filter((one): one is Resource<ProcessSpec> => one.kind === 'Process').map(wantedProcess)
  const routers = written.filter(({ proxyType }) => proxyType === 'router')
  const made = new Map<string, WantedProcess>()
  for (const gateway of resources.filter((one): one is Resource<GatewaySpec> => one.kind === 'Gateway')) {
    const selector = gateway.spec.selector ?? {}
    if (routers.some(({ labels }) => selects(selector, labels))) continue
    const one = impliedGateway(gateway, selector)
    if (!made.has(one.key)) made.set(one.key, one)
  }
  return [...written, ...made.values()]
}

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

const selects = (selector: Readonly<Record<string, string>>, labels: Readonly<Record<string, string>>): boolean =>
  Object.entries(selector).every(([name, value]) => labels[name] === value)

/** `istio: ingressgateway` is Istio's own istio-ingressgateway, by name and by identity. */
function impliedGateway({ origin }: Resource, selector: Readonly<Record<string, string>>): WantedProcess {
  const role = selector['istio'] ?? selector['app'] ?? Object.values(selector)[0] ?? 'ingressgateway'
  const name = role.startsWith('istio-') ? role : `istio-${role}`
  return {
    key: `${gatewayNamespace}/${name}`, name, namespace: gatewayNamespace,
    labels: { app: name, istio: role, ...selector },
    serviceAccount: `${name}-service-account`,
    proxyType: 'router', command: [], workingDirectory: '.', env: {}, address: '127.0.0.1', ports: [], probe: undefined, graceMs: 0,
    origin,
  }
}

function wantedProcess({ metadata, spec, origin }: Resource<ProcessSpec>): WantedProcess {
  const folder = origin.file === '-' ? '.' : dirname(origin.file)
  return {
    key: `${metadata.namespace}/${metadata.name}`,
    name: metadata.name,
    namespace: metadata.namespace,
    labels: metadata.labels,
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
