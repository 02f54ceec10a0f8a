// A real Envoy as a process under test: its bootstrap, what it says, and the agent's part that it needs beside it.
import { spawn as spawnProcess } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, readFileSync, readSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { startGrpcServer } from '../../src/control/serve/grpc.ts'
import type { GrpcServer } from '../../src/control/serve/grpc.ts'
import type { StreamMethod } from '../../src/control/serve/rpc.ts'
import { SecretSchema } from '../../src/proto/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts'
import { DiscoveryRequestSchema, DiscoveryResponseSchema } from '../../src/proto/gen/envoy/service/discovery/v3/discovery_pb.ts'
import { typeUrls } from '../../src/xds/types.ts'
import type { TestNode } from '../support/ads-client.ts'
import type { TestCertificate } from '../support/certificates.ts'
import { createAuthority } from '../support/certificates.ts'

export interface Credentials {
  readonly roots: string
  readonly own: TestCertificate
}

/** What the agent beside an Envoy does: its certificate and the mesh's roots. Clusters and listeners wait for them. */
export function startAgent({ roots, own }: Credentials = anybody()): Promise<GrpcServer> {
  const inline = (value: string) => ({ specifier: { case: 'inlineString' as const, value } })
  const secretNamed = (name: string) => create(SecretSchema, {
    name, type: name === 'ROOTCA' ? { case: 'validationContext', value: { trustedCa: inline(roots) } }
      : { case: 'tlsCertificate', value: { certificateChain: inline(own.chain), privateKey: inline(own.key) } },
  })
  const secrets: StreamMethod = {
    kind: 'stream', path: '/envoy.service.secret.v3.SecretDiscoveryService/StreamSecrets',
    open: (call) => ({
      onMessage(bytes) {
        const { resourceNames, responseNonce } = fromBinary(DiscoveryRequestSchema, bytes)
        if (responseNonce !== '') return
        const resources = resourceNames.map((name) => ({ typeUrl: typeUrls.SDS, value: toBinary(SecretSchema, secretNamed(name)) }))
        void call.send([toBinary(DiscoveryResponseSchema, create(DiscoveryResponseSchema, { typeUrl: typeUrls.SDS, versionInfo: '1', nonce: '1', resources }))])
      },
      onEnd: () => call.end(),
      onClose: () => undefined,
    }),
  }
  return startGrpcServer({ methods: [secrets], plaintextPort: 0 })
}

function anybody(): Credentials {
  const authority = createAuthority()
  return { roots: authority.roots, own: authority.issue('URI:spiffe://cluster.local/ns/default/sa/test') }
}

export interface RunningEnvoy extends AsyncDisposable {
  readonly pid: number
  /** What it logged. */
  readonly output: () => string
  /** Resolves when all that it waits for at its start has come; fails when it ends before. */
  live(): Promise<void>
}

export interface EnvoyOptions {
  readonly envoy: string
  /** What starts it: `taskset -c 1`. */
  readonly under?: readonly string[]
  readonly node: TestNode
  readonly apiType: string
  /** Of ADS, and of the agent. */
  readonly port: number
  readonly agentPort: number
  /** A line of an access log that goes to /dev/stdout. */
  readonly onLine?: (line: string) => void
  /** Refuse fields that it does not know, and those that are deprecated. */
  readonly strict?: boolean
}

const patienceMs = 20_000

export function startEnvoy({ envoy, under = [], strict = false, onLine, ...options }: EnvoyOptions): RunningEnvoy {
  const folder = mkdtempSync(join(tmpdir(), 'trysail-envoy-'))
  const path = join(folder, 'bootstrap.json')
  const adminPath = join(folder, 'admin')
  // Envoy opens /dev/stdout anew, which takes a file: node's pipes are sockets.
  const logPath = join(folder, 'stdout')
  writeFileSync(path, JSON.stringify(bootstrap(options, strict)))
  const standardOutput = openSync(logPath, 'a')
  const parameters = ['-c', path, '-l', 'warning', '--disable-hot-restart', '--concurrency', '1', '--admin-address-path', adminPath, ...(onLine === undefined ? [] : ['--file-flush-interval-msec', '10'])]
  const [program = envoy, ...rest] = [...under, envoy, ...parameters, ...(strict ? ['--reject-unknown-dynamic-fields'] : [])]
  const child = spawnProcess(program, rest, { stdio: ['ignore', standardOutput, 'pipe'] })
  closeSync(standardOutput)
  let output = ''
  child.stderr!.on('data', (chunk: Buffer) => (output += String(chunk)))
  const following = onLine === undefined ? undefined : follow(logPath, onLine)
  const exited = once(child, 'exit')
  return {
    pid: child.pid!,
    output: () => output,
    async live() {
      const until = Date.now() + patienceMs
      while (!(await isLive(adminPath))) {
        if (child.exitCode !== null || Date.now() > until) throw new Error(`Envoy does not come up:\n${output}`)
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
    },
    async [Symbol.asyncDispose]() {
      following?.stop()
      child.kill('SIGKILL')
      await exited
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Every line that is added to a file. */
function follow(path: string, onLine: (line: string) => void): { stop(): void } {
  const file = openSync(path, 'r')
  const piece = Buffer.alloc(65_536)
  let rest = ''
  const timer = setInterval(() => {
    for (let count = readSync(file, piece); count > 0; count = readSync(file, piece)) {
      const lines = (rest + piece.toString('latin1', 0, count)).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) onLine(line)
    }
  }, 10)
  return {
    stop() {
      clearInterval(timer)
      closeSync(file)
    },
  }
}

async function isLive(adminPath: string): Promise<boolean> {
  try {
    return (await (await fetch(`http://${readFileSync(adminPath, 'utf8').trim()}/ready`)).text()).includes('LIVE')
  } catch {
    return false
  }
}

function bootstrap({ node, apiType, port, agentPort }: Pick<EnvoyOptions, 'node' | 'apiType' | 'port' | 'agentPort'>, strict: boolean) {
  const own = (name: string, at: number) => ({
    name, type: 'STATIC', connect_timeout: '1s',
    typed_extension_protocol_options: { 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
      '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions', explicit_http_config: { http2_protocol_options: {} },
    } },
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: '127.0.0.1', port_value: at } } } }] }] },
  })
  const runtime = { 'envoy.features.fail_on_any_deprecated_feature': true }
  return {
    node: { cluster: 'test', ...node },
    admin: { address: { socket_address: { address: '127.0.0.1', port_value: 0 } } },
    ...(strict && { layered_runtime: { layers: [{ name: 'strict', static_layer: runtime }] } }),
    dynamic_resources: {
      ads_config: { api_type: apiType, transport_api_version: 'V3', grpc_services: [{ envoy_grpc: { cluster_name: 'xds-grpc' } }] },
      cds_config: { ads: {}, resource_api_version: 'V3' },
      lds_config: { ads: {}, resource_api_version: 'V3' },
    },
    static_resources: { clusters: [own('xds-grpc', port), own('sds-grpc', agentPort)] },
  }
}
