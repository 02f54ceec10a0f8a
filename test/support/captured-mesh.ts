// A mesh of one captured workload: its own network with the rules in place, its application as an ordinary user, a control plane
// and a plain peer outside. Whatever proxy a test puts beside the application has to run as user 1337.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { applyCapture } from '../../src/agent/capture/apply.ts'
import { captureSettings } from '../../src/agent/capture/capture-settings.ts'
import type { CaptureSettings } from '../../src/agent/capture/capture-settings.ts'
import { createBootstrapTokens } from '../../src/control/ca/tokens.ts'
import type { TestAuthority } from './certificates.ts'
import { places, wiredNets } from './capture-world.ts'
import type { Net } from './capture-world.ts'
import { TempFolder } from './temp-folder.ts'
import { TrysailProcess, trysail } from './trysail-process.ts'

const { IPv4, IPv6 } = places
const asProxyUser = ['setpriv', '--reuid=1337', '--regid=1337', '--clear-groups', '--inh-caps=+net_admin', '--ambient-caps=+net_admin']

/** `echo` is the workload, by a virtual address that stands on no machine; it also listens on a port that no Service names. */
const meshYaml = `
apiVersion: v1
kind: Service
metadata: { name: echo, namespace: default }
spec: { clusterIP: ${IPv4.service}, clusterIPs: [${IPv4.service}, "${IPv6.service}"], selector: { app: echo }, ports: [{ name: http, port: 80, targetPort: 8080 }] }
---
apiVersion: v1
kind: Pod
metadata: { name: echo-1, namespace: default, labels: { app: echo, security.istio.io/tlsMode: istio } }
spec: { containers: [{ name: echo, ports: [{ name: http, containerPort: 8080 }] }] }
status: { phase: Running, podIP: ${IPv4.workload}, podIPs: [{ ip: ${IPv4.workload} }, { ip: "${IPv6.workload}" }], conditions: [{ type: Ready, status: "True" }] }
`

/** Says who asked: over which address it came, and as whom the mesh knows the client. */
const application = `
const { createServer } = require('node:http')
for (const port of process.argv.slice(1)) createServer((request, response) => {
  const identity = /URI=([^;,]*)/.exec(request.headers['x-forwarded-client-cert'] ?? '')?.[1] ?? ''
  response.end(JSON.stringify({ from: request.socket.remoteAddress.replace('::ffff:', ''), identity, proxied: 'x-request-id' in request.headers }))
}).listen(Number(port), '::', () => console.log('listens'))
`

const relay = `
const { connect, createServer } = require('node:net')
const at = (place) => /^\\d+$/.test(place) ? { host: '127.0.0.1', port: Number(place) } : { path: place }
const [from, to] = process.argv.slice(1)
createServer((one) => {
  const other = connect(at(to))
  for (const socket of [one, other]) socket.on('error', () => { one.destroy(); other.destroy() })
  one.pipe(other).pipe(one)
}).listen(at(from), () => console.log('relays'))
`

export interface Heard {
  readonly from: string
  readonly identity: string
  readonly proxied: boolean
}

export class CapturedMesh implements AsyncDisposable {
  readonly folder: string
  readonly workload: Net
  control: TrysailProcess | undefined
  readonly world: Net
  readonly #resources: AsyncDisposableStack

  private constructor(folder: string, nets: { readonly workload: Net; readonly world: Net }, resources: AsyncDisposableStack) {
    this.folder = folder
    this.workload = nets.workload
    this.world = nets.world
    this.#resources = resources
  }

  static async open(capture: Partial<CaptureSettings> = {}, authority?: TestAuthority, ports: readonly number[] = [8080, 9090]): Promise<CapturedMesh> {
    const resources = new AsyncDisposableStack()
    try {
      const folder = resources.use(await TempFolder.create())
      const nets = resources.use(await wiredNets())
      const mesh = new CapturedMesh(folder.path, nets, resources)
      await mesh.#start(captureSettings(capture), authority, ports)
      return mesh
    } catch (error) {
      await resources.disposeAsync()
      throw error
    }
  }

  async #start(capture: CaptureSettings, authority: TestAuthority | undefined, ports: readonly number[]): Promise<void> {
    mkdirSync(join(this.folder, 'mesh'))
    mkdirSync(join(this.folder, 'proxy'))
    for (const folder of ['', 'proxy']) chmodSync(join(this.folder, folder), 0o777)
    this.file('mesh/mesh.yaml', meshYaml)
    await applyCapture(capture, { run: this.workload.run })
    await this.#background(this.workload, ['setpriv', '--reuid=1000', '--regid=1000', '--clear-groups', process.execPath, '-e', application, '--', ...ports.map(String)], new RegExp(ports.map(() => 'listens').join('[^]*')))
    await this.#background(this.world, [process.execPath, '-e', application, '--', '8000'], /listens/)
    if (authority !== undefined) this.#takeRoot(authority)
    const control = this.use(new TrysailProcess(['control', '-f', 'mesh', '--address', IPv4.peer, '--plaintext-port', '15010', '--debug-port', '0'], { cwd: this.folder, env: this.env, as: this.world.enter() }))
    await control.saying(/mutual TLS/)
    this.control = control
  }

  /** The control plane signs with this root then, and so can the test. */
  #takeRoot({ roots, key }: TestAuthority): void {
    const folder = join(this.folder, '.trysail', 'ca')
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    writeFileSync(join(folder, 'ca-cert.pem'), roots)
    writeFileSync(join(folder, 'ca-key.pem'), key, { mode: 0o600 })
  }

  get env(): Readonly<Record<string, string>> {
    return { XDG_RUNTIME_DIR: this.folder }
  }

  /** Of a proxy, which is not the user of the control plane. */
  get asProxy() {
    return { cwd: this.folder, env: { XDG_RUNTIME_DIR: join(this.folder, 'proxy') }, as: [...this.workload.enter(), ...asProxyUser] }
  }

  use<Resource extends AsyncDisposable>(resource: Resource): Resource {
    return this.#resources.use(resource)
  }

  /** Readable for the proxy's user. */
  file(name: string, text: string): string {
    writeFileSync(join(this.folder, name), text, { mode: 0o644 })
    return join(this.folder, name)
  }

  /** What every proxy of the workload is told to join. */
  async proxyFlags(): Promise<readonly string[]> {
    const tokens = await createBootstrapTokens({ stateDir: join(this.folder, '.trysail') })
    const roots = await trysail(['control', 'roots'], { cwd: this.folder, env: this.env })
    return [
      'proxy', '--name', 'echo-1', '--labels', 'app=echo', '--ip', IPv4.workload, '--discovery-address', `${IPv4.peer}:15012`,
      '--token-file', this.file('token', tokens.create({ trustDomain: 'cluster.local', namespace: 'default', serviceAccount: 'default' }, 60_000)),
      '--root-ca-file', this.file('roots.pem', roots.output),
    ]
  }

  /** By curl, as an ordinary user. */
  ask(from: Net, url: string, patienceS = 20): Heard | string {
    const [program, ...args] = [...from.enter(), 'setpriv', '--reuid=1000', '--regid=1000', '--clear-groups', 'curl', '-sS', '--globoff', '--max-time', String(patienceS), url]
    const { stdout, stderr } = spawnSync(program!, args, { encoding: 'utf8' })
    if (stdout.startsWith('{')) return JSON.parse(stdout) as Heard
    return stdout === '' ? stderr.trim() : stdout
  }

  /** What every proxy that is captured rightly makes of them, over IPv4. */
  askAll() {
    return {
      inbound: this.ask(this.world, `http://${IPv4.workload}:8080/`),
      portOfNoService: this.ask(this.world, `http://${IPv4.workload}:9090/`),
      ownService: this.ask(this.workload, `http://${IPv4.service}/`),
      ownAddress: this.ask(this.workload, `http://${IPv4.workload}:8080/`),
      stranger: this.ask(this.workload, `http://${IPv4.peer}:8000/`),
    }
  }

  /** Connections to a port of one network's loopback lead to a port of the other's, or of our own: sockets with paths know no networks. */
  async relay(from: Net, port: number, to: { readonly net?: Net; readonly port: number }): Promise<void> {
    const path = join(this.folder, `relay-${port}`)
    await this.#background(to.net, [process.execPath, '-e', relay, '--', path, String(to.port)], /relays/)
    await this.#background(from, [process.execPath, '-e', relay, '--', String(port), path], /relays/)
  }

  /** A program in one of the networks, until the mesh ends. Resolves once it has said that it is ready. */
  program(net: Net, command: readonly string[], ready: RegExp): Promise<void> {
    return this.#background(net, command, ready)
  }

  /** Resolves once it has said so. */
  async #background(net: Net | undefined, command: readonly string[], ready: RegExp): Promise<void> {
    const [program, ...args] = [...(net?.enter() ?? []), ...command]
    const child = spawn(program!, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    this.#resources.defer(async () => {
      if (child.exitCode !== null) return
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
    })
    let said = ''
    for await (const bytes of child.stdout) if (ready.test(said += String(bytes))) break
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#resources.disposeAsync()
  }
}
