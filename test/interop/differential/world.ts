// Both sides of the suite: the same meshes, once with our proxies and once with Envoys, each below a control plane of ours.
// A side has a loopback net of its own, so that each proxy's requests are told apart by the backend that they reach.
import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { EnvCapture } from '../../../src/agent/env-capture.ts'
import type { Tap } from '../../../src/agent/env-capture.ts'
import { GatewayPorts } from '../../../src/agent/gateway-ports.ts'
import { startControl } from '../../../src/control/main.ts'
import type { ControlPlane } from '../../../src/control/main.ts'
import { adsMethods } from '../../../src/control/serve/ads.ts'
import { startGrpcServer } from '../../../src/control/serve/grpc.ts'
import type { Method } from '../../../src/control/serve/rpc.ts'
import { worldSource } from '../../../src/control/serve/world-source.ts'
import { controlSettings } from '../../../src/control/settings.ts'
import { syncState } from '../../../src/control/status/proxies.ts'
import type { Address } from '../../../src/model/address.ts'
import { formatAddress } from '../../../src/model/address.ts'
import { reservePort } from '../../../src/net/reserve-port.ts'
import type { Proxy } from '../../../src/proxy/main.ts'
import { startProxy } from '../../../src/proxy/main.ts'
import { proxySettings } from '../../../src/proxy/settings.ts'
import { filesOnce } from '../../../src/sources/files/read.ts'
import type { TestAuthority, TestCertificate } from '../../support/certificates.ts'
import { TempFolder } from '../../support/temp-folder.ts'
import { startAgent, startEnvoy } from '../real-envoy.ts'
import type { RunningEnvoy } from '../real-envoy.ts'
import type { Case } from './case.ts'
import type { Door } from './client.ts'
import { accessLogFormat, caseFile, commonFile, workloadAddress } from './mesh-files.ts'
import type { Layout } from './mesh-files.ts'
import { standingListeners } from './standing-listeners.ts'

export type Role = NonNullable<Case['role']>

/** The proxies of a side: who each is. */
const proxies = {
  client: { type: 'sidecar', name: 'client', namespace: 'client', labels: { app: 'client' }, host: 1 },
  strict: { type: 'sidecar', name: 'strict', namespace: 'strict', labels: { app: 'strict' }, host: 2 },
  edge: { type: 'router', name: 'edge', namespace: 'edge', labels: { istio: 'ingressgateway' }, host: 3 },
} as const
type ProxyName = keyof typeof proxies
const proxyOf: Readonly<Record<Role, ProxyName>> = { outbound: 'client', inbound: 'client', strict: 'strict', gateway: 'edge' }
const names = Object.keys(proxies) as ProxyName[]

export interface Side extends AsyncDisposable {
  readonly name: 'ours' | 'envoy'
  readonly layout: Layout
  readonly control: ControlPlane
  /** What the control plane said that is wrong with the documents. */
  readonly issues: readonly string[]
  /** Where a connection of this role to this address goes in. */
  door(role: Role, to: Address): Door
  /** Takes the lines of the access log for a client's port, as soon as there are any. */
  takeLog(clientPort: number, isWanted: (line: string) => boolean): Promise<readonly string[]>
  /** Everything that the proxies refused or warned of. */
  complaints(): readonly string[]
}

/** Some requests leave no line at all. */
const logPatienceMs = 1500

/** The access log by the client's port. */
class Log {
  readonly #lines = new Map<number, string[]>()

  add(line: string): void {
    const port = Number(/^[\d.]+:(\d+)\t/.exec(line)?.[1])
    const lines = this.#lines.get(port) ?? []
    lines.push(line)
    this.#lines.set(port, lines)
  }

  async take(port: number, isWanted: (line: string) => boolean): Promise<readonly string[]> {
    const wanted = (): readonly string[] => (this.#lines.get(port) ?? []).filter(isWanted)
    for (const until = Date.now() + logPatienceMs; wanted().length === 0 && Date.now() < until;) await sleep(10)
    const lines = wanted()
    this.#lines.delete(port)
    return lines
  }
}

interface SideParts {
  readonly cases: readonly Case[]
  readonly layout: Layout
  readonly authority: TestAuthority
  /** Every address that connections are captured for. */
  readonly destinations: readonly { readonly role: Role; readonly to: Address }[]
}

export async function startOurs(parts: SideParts): Promise<Side> {
  const base = await startBase('ours', parts)
  const { control, layout, log, said } = base
  const taps = new Map<string, { readonly tap: Tap; readonly at: Address; readonly proxy: ProxyName }>()
  for (const { role, to } of parts.destinations) {
    if (taps.has(`${role} ${formatAddress(to)}`)) continue
    const { server, address } = await reservePort()
    taps.set(`${role} ${formatAddress(to)}`, { proxy: proxyOf[role], at: address, tap: { listen: { server }, direction: role === 'inbound' ? 'inbound' : 'outbound', originalDestination: to } })
  }
  const running = new Map<ProxyName, Proxy>()
  const gateway = new GatewayPorts(() => ({ host: `${layout.net}.255.1`, port: 0 }), new Map())
  for (const name of names) {
    const { type, namespace, labels } = proxies[name]
    const own = [...taps.values()].filter(({ proxy }) => proxy === name).map(({ tap }) => tap)
    running.set(name, await startProxy(proxySettings({
      type, name, namespace, labels, serviceAccount: name, ip: addressOfProxy(layout, name), adminPort: 0,
      discoveryAddress: formatAddress(control.xds), token: control.bootstrapToken({ trustDomain: control.trustDomain, namespace, serviceAccount: name }),
    }), {
      roots: control.roots,
      capture: type === 'router' ? gateway : new EnvCapture(own, new Map()),
      log: (line) => said.push(`${name}: ${line}`),
      standardOutput: (line) => log.add(line),
    }))
  }
  await Promise.all([...running.values()].map(({ whenReady }) => whenReady))
  assert.ok(await control.settle(20_000), 'our proxies do not take the mesh')
  return {
    ...base,
    door(role, to) {
      const tap = taps.get(`${role} ${formatAddress(to)}`)
      const at = role === 'gateway' ? running.get('edge')!.boundAddress(`0.0.0.0_${to.port}`) : tap?.at
      assert.ok(at !== undefined, `ours has no door for ${role} ${formatAddress(to)}`)
      return { ...at, preface: () => '', shown: base.shown, certificate: base.certificate }
    },
    complaints: () => [...base.complaints(), ...said],
    async [Symbol.asyncDispose]() {
      await Promise.all([...running.values()].map((proxy) => proxy.close()))
      await base[Symbol.asyncDispose]()
    },
  }
}

export async function startEnvoys(parts: SideParts, envoy: string): Promise<Side> {
  const base = await startBase('envoy', parts)
  const { control, layout, log } = base
  const standing = new Map<string, Address>()
  const port = await freePort()
  let next = 0
  const source = standingListeners(worldSource(control.state), standing, () => ({ host: `${layout.net}.${254 + (next >> 8)}.${next++ & 255}`, port }))
  const running: RunningEnvoy[] = []
  const servers: AsyncDisposable[] = []
  for (const name of names) {
    const { namespace } = proxies[name]
    const identity = `spiffe://cluster.local/ns/${namespace}/sa/${name}`
    const agent = await startAgent({ roots: parts.authority.roots, own: parts.authority.issue(`URI:${identity}`) })
    const ads = await startGrpcServer({ methods: adsMethods(source).map((method) => withIdentity(method, identity)), plaintextPort: 0 })
    servers.push(agent, ads)
    running.push(startEnvoy({
      envoy, node: nodeOf(layout, name), apiType: 'DELTA_GRPC', port: ads.plaintextAddress!.port,
      agentPort: agent.plaintextAddress!.port, strict: true, onLine: (line) => log.add(line),
    }))
  }
  const complaints = (): readonly string[] => [...base.complaints(), ...running.flatMap((one) => one.output().split('\n')).filter((line) => line !== '' && !harmless.test(line))]
  await Promise.all(running.map((one) => one.live())).catch((error: unknown) => assert.fail(`${String(error)}\n${complaints().join('\n')}`))
  return {
    ...base,
    complaints,
    door(role, to) {
      const { id } = nodeOf(layout, proxyOf[role])
      const own = (listener: string): Address | undefined => standing.get(`${id} ${listener}`)
      const captured = role === 'inbound' ? own('virtualInbound') : own(`${to.host}_${to.port}`) ?? own(`0.0.0.0_${to.port}`) ?? own('virtualOutbound')
      const at = role === 'gateway' ? own(`0.0.0.0_${to.port}`) : captured
      assert.ok(at !== undefined, `Envoy has no listener for ${role} ${formatAddress(to)}`)
      return { ...at, shown: base.shown, certificate: base.certificate, preface: (ownPort) => (role === 'gateway' ? '' : `PROXY TCP4 127.0.0.1 ${to.host} ${ownPort} ${to.port}\r\n`) }
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(running.map((one) => one[Symbol.asyncDispose]()))
      for (const one of servers) await one[Symbol.asyncDispose]()
      await base[Symbol.asyncDispose]()
    },
  }
}

/** The agent beside an Envoy speaks mutual TLS to the control plane; here it is known who calls. */
function withIdentity(method: Method, identity: string): Method {
  if (method.kind === 'unary') return method
  return {
    ...method,
    open: (call) => method.open({ caller: { ...call.caller, encrypted: true, uris: [identity] }, send: (parts) => call.send(parts), end: (error) => call.end(error) }),
  }
}

/** What Envoy warns of whatever it is given. */
const harmless = /no configured limit to the number of allowed active downstream connections|Usage of the deprecated runtime key|overload manager|gRPC config: initial fetch timed out/

type Base = Omit<Side, 'door'> & { readonly log: Log; readonly said: string[] } & Pick<Door, 'shown' | 'certificate'>

/** A control plane that reads the cases' files. */
async function startBase(name: Side['name'], { cases, layout, authority }: SideParts): Promise<Base> {
  const folder = await TempFolder.create()
  const shown = await certificatesIn(folder, authority)
  await folder.write('mesh/common.yaml', commonFile(layout))
  await Promise.all(cases.map((one, index) => folder.write(`mesh/case-${index + 1}.yaml`, caseFile(one, index, layout))))
  const issues: string[] = []
  const control = await startControl(controlSettings({ stateDir: folder.at('state'), xdsPort: 0, plaintextPort: 0, debugPort: 0 }), {
    sources: [filesOnce([folder.at('mesh')])],
    meshDefaults: { accessLogFile: '/dev/stdout', accessLogFormat },
    log: (level, line) => void (level === 'info' || level === 'debug' ? undefined : issues.push(line.replaceAll(`${folder.path}/mesh/`, ''))),
  })
  const log = new Log()
  return {
    name, layout, control, issues, log, shown, certificate: (identity) => certificateOf(authority, identity), said: [],
    takeLog: (port, isWanted) => log.take(port, isWanted),
    complaints: () => [...control.state.board.proxies.values()].flatMap(({ node, types }) =>
      [...types].filter(([, status]) => status.nacked > 0 || syncState(status) !== 'SYNCED').map(([type, status]) => `${node.id} ${type}: ${syncState(status)}, refused ${status.nacked} times: ${status.error}`)),
    async [Symbol.asyncDispose]() {
      await control.close()
      await folder[Symbol.asyncDispose]()
    },
  }
}

/** Both sides show the same ones. */
const certificates = new WeakMap<TestAuthority, Map<string, TestCertificate>>()

function certificateOf(authority: TestAuthority, identity: string): TestCertificate {
  const known = certificates.get(authority) ?? new Map<string, TestCertificate>()
  certificates.set(authority, known)
  const one = known.get(identity) ?? authority.issue(`URI:${identity}`)
  known.set(identity, one)
  return one
}

/** The control plane signs with the authority of the suite, and so the suite can make a certificate of the mesh. */
async function certificatesIn(folder: TempFolder, authority: TestAuthority): Promise<Door['shown']> {
  await mkdir(folder.at('state/ca'), { recursive: true, mode: 0o700 })
  await writeFile(folder.at('state/ca/ca-cert.pem'), authority.roots)
  await writeFile(folder.at('state/ca/ca-key.pem'), authority.key, { mode: 0o600 })
  const { chain, key } = certificateOf(authority, 'spiffe://cluster.local/ns/client/sa/client')
  await folder.write('client.pem', chain)
  await folder.write('client.key', key)
  return { cert: folder.at('client.pem'), key: folder.at('client.key') }
}

const addressOfProxy = (layout: Layout, name: ProxyName): string => (name === 'client' ? workloadAddress(layout) : `${layout.net}.0.${proxies[name].host}`)

/** As our own proxies introduce themselves. */
function nodeOf(layout: Layout, name: ProxyName) {
  const { type, namespace, labels } = proxies[name]
  const ip = addressOfProxy(layout, name)
  return {
    id: `${type}~${ip}~${name}.${namespace}~${namespace}.svc.cluster.local`,
    cluster: `${name}.${namespace}`,
    metadata: { NAME: name, NAMESPACE: namespace, LABELS: labels, SERVICE_ACCOUNT: name, INSTANCE_IPS: ip, WORKLOAD_NAME: name, CLUSTER_ID: 'Kubernetes', MESH_ID: 'cluster.local', INTERCEPTION_MODE: 'REDIRECT' },
  }
}

async function freePort(): Promise<number> {
  const server = createServer()
  await once(server.listen(0, '0.0.0.0'), 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
