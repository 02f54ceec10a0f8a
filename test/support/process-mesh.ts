// A small mesh of processes on loopback addresses of its own: `reviews` and `productpage`, each a host with a sidecar, an
// ingress gateway, and a control plane. The application is a server in the test: it answers with whom the mesh says it saw.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createBootstrapTokens } from '../../src/control/ca/tokens.ts'
import type { TestAuthority } from './certificates.ts'
import { freePort } from './hosts.ts'
import { TempFolder } from './temp-folder.ts'
import { TrysailProcess, trysail } from './trysail-process.ts'

export interface ControlAddresses {
  readonly xds: string
  readonly plaintext: string
  readonly debug: string
}

export interface SidecarOptions {
  /** Over loopback without TLS. */
  readonly plaintext?: boolean
  readonly token?: string
  readonly flags?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

export class ProcessMesh implements AsyncDisposable {
  /** `127.70.12`: tests that run at the same time take others. */
  readonly net = `127.${64 + ((process.pid >> 8) & 63)}.${process.pid & 255}`
  readonly folder: string
  readonly #resources = new AsyncDisposableStack()
  /** Set by startControl. */
  control: TrysailProcess | undefined
  addresses: ControlAddresses = { xds: '', plaintext: '', debug: '' }
  #rootsFile = ''

  constructor(folder: string) {
    this.folder = folder
  }

  static async create(): Promise<ProcessMesh> {
    const folder = await TempFolder.create()
    const mesh = new ProcessMesh(folder.path)
    mesh.#resources.use(folder)
    mesh.write('mesh.yaml', meshYaml(mesh.net))
    return mesh
  }

  /** Into the folder that the control plane reads. */
  write(name: string, text: string): void {
    mkdirSync(join(this.folder, 'mesh'), { recursive: true })
    writeFileSync(join(this.folder, 'mesh', name), text)
  }

  /** Of what it reads already. */
  edit(name: string, change: (text: string) => string): void {
    this.write(name, change(readFileSync(join(this.folder, 'mesh', name), 'utf8')))
  }

  /** Before the control plane starts: it signs with this root then, and so can the test. */
  takeRoot({ roots, key }: TestAuthority): void {
    const folder = join(this.folder, '.trysail', 'ca')
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    writeFileSync(join(folder, 'ca-cert.pem'), roots)
    writeFileSync(join(folder, 'ca-key.pem'), key, { mode: 0o600 })
  }

  get options() {
    return { cwd: this.folder, env: { XDG_RUNTIME_DIR: this.folder } }
  }

  use<Resource extends AsyncDisposable>(resource: Resource): Resource {
    return this.#resources.use(resource)
  }

  /** The first on any free ports, later ones on the same. */
  async startControl(...flags: readonly string[]): Promise<TrysailProcess> {
    const ports = Object.values(this.addresses).map((address) => address.split(':')[1] ?? '0')
    const [xds = '0', plaintext = '0', debug = '0'] = ports
    const control = this.use(new TrysailProcess(['control', '-f', 'mesh', '--xds-port', xds || '0', '--plaintext-port', plaintext || '0', '--debug-port', debug || '0', ...flags], this.options))
    this.control = control
    const [, tls = '', plain = '', pages = ''] = await control.saying(/mutual TLS +(\S+)\n.*plaintext +(\S+)\n.*http:\/\/(\S+)\n/)
    this.addresses = { xds: tls, plaintext: plain, debug: pages }
    return control
  }

  async rootsFile(): Promise<string> {
    if (this.#rootsFile === '') {
      const { code, output } = await trysail(['control', 'roots'], this.options)
      assert.equal(code, 0, output)
      this.#rootsFile = this.file('roots.pem', output)
    }
    return this.#rootsFile
  }

  file(name: string, text: string): string {
    writeFileSync(join(this.folder, name), text, { mode: 0o600 })
    return join(this.folder, name)
  }

  async token(serviceAccount: string, lifetimeMs = 60_000): Promise<string> {
    const tokens = await createBootstrapTokens({ stateDir: join(this.folder, '.trysail') })
    return tokens.create({ trustDomain: 'cluster.local', namespace: 'default', serviceAccount }, lifetimeMs)
  }

  /** What every proxy is told; `name` is its service account too. */
  async proxyFlags(name: string, host: number, { plaintext = false, token }: SidecarOptions = {}): Promise<string[]> {
    const { xds, plaintext: plain } = this.addresses
    return [
      'proxy', '--name', name, '--service-account', name, '--labels', `app=${name}`, '--ip', `${this.net}.${host}`, '--admin-port', '0',
      '--token-file', this.file(`${name}.token`, token ?? await this.token(name)),
      ...(plaintext ? ['--discovery-address', plain, '--discovery-plaintext'] : ['--discovery-address', xds, '--root-ca-file', await this.rootsFile()]),
    ]
  }

  /** Peers reach it at `NET.2:9080`. */
  async startReviews(app: string, options: SidecarOptions = {}): Promise<TrysailProcess> {
    const flags = await this.proxyFlags('reviews', 2, options)
    const { cwd, env } = this.options
    return this.use(new TrysailProcess([...flags, '--inbound', `${this.net}.2:9080=${app}`, ...(options.flags ?? [])], { cwd, env: { ...env, ...options.env } }))
  }

  /** Gives the URL at which productpage reaches reviews. */
  async startProductpage(options: SidecarOptions = {}): Promise<{ readonly proxy: TrysailProcess; readonly url: string }> {
    const flags = await this.proxyFlags('productpage', 3, options)
    const proxy = this.use(new TrysailProcess([...flags, '--outbound', '127.0.0.1:0=reviews:9080', ...(options.flags ?? [])], this.options))
    const [, at = ''] = await proxy.saying(/outbound: (\S+) leads/)
    return { proxy, url: `http://${at}/` }
  }

  async startGateway(options: SidecarOptions = {}): Promise<{ readonly proxy: TrysailProcess; readonly url: string }> {
    const flags = await this.proxyFlags('ingress', 4, options)
    const proxy = this.use(new TrysailProcess([...flags, '--type', 'router', '--gateway-port', `80=127.0.0.1:${await freePort()}`, ...(options.flags ?? [])], this.options))
    const [, at = ''] = await proxy.saying(/listens on (\S+)/)
    return { proxy, url: `http://${at}/` }
  }

  /** The proxies that the control plane knows now, by its debug page. */
  async connected(): Promise<readonly string[]> {
    const answer = await fetch(`http://${this.addresses.debug}/debug/syncz`)
    const { proxies } = (await answer.json()) as { proxies: readonly { node: string }[] }
    return proxies.map(({ node }) => node.split('~')[2]!.split('.')[0]!).sort()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync()
  }
}

export interface TestApp extends AsyncDisposable {
  readonly at: string
  /** Whom the mesh said it saw, by request. */
  readonly callers: Set<string>
  /** Paths under /held/ wait for it. */
  release(): void
  readonly held: number
}

/** Answers with the caller's identity as the mesh verified it; nothing for plaintext. */
export async function startApp(): Promise<TestApp> {
  const callers = new Set<string>()
  const held: (() => void)[] = []
  const server = createServer((incoming, response) => {
    const [, caller = 'nobody'] = /URI=([^;,]*)/.exec(String(incoming.headers['x-forwarded-client-cert'] ?? '')) ?? []
    callers.add(caller)
    const answer = (): void => void response.end(`${caller}\n`)
    if (incoming.url?.startsWith('/held') === true) held.push(answer)
    else answer()
  }).listen(0, '127.0.0.1')
  server.keepAliveTimeout = 60_000
  await once(server, 'listening')
  return {
    at: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    callers,
    get held() {
      return held.length
    },
    release: () => held.splice(0).forEach((answer) => answer()),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

const meshYaml = (net: string): string => `
apiVersion: v1
kind: Service
metadata: { name: reviews, namespace: default }
spec: { clusterIP: 10.96.0.10, selector: { app: reviews }, ports: [{ name: http, port: 9080 }] }
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: reviews, namespace: default }
spec: { address: ${net}.2, serviceAccount: reviews, labels: { app: reviews, security.istio.io/tlsMode: istio } }
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: productpage, namespace: default }
spec: { address: ${net}.3, serviceAccount: productpage, labels: { app: productpage, security.istio.io/tlsMode: istio } }
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default, namespace: default }
spec: { mtls: { mode: STRICT } }
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: ingress, namespace: default }
spec: { selector: { app: ingress }, servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: ['*'] }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ingress, namespace: default }
spec: { hosts: ['*'], gateways: [ingress], http: [{ route: [{ destination: { host: reviews } }] }] }
`

/** Reviews answers with a header that says which of its configurations is in force. */
export const reviewsYaml = (generation: string): string => `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews, namespace: default }
spec: { hosts: [reviews], http: [{ route: [{ destination: { host: reviews } }], headers: { response: { set: { x-generation: "${generation}" } } } }] }
`
