// A mesh as `trysail run` makes it, of a folder of one test, in this process; its programs are real processes.
import assert from 'node:assert/strict'
import { Agent, request } from 'node:http'
import { text } from 'node:stream/consumers'
import { startMesh } from '../../src/cli/run/mesh.ts'
import type { CaptureMode } from '../../src/cli/run/mesh.ts'
import type { Mesh } from '../../src/cli/run/mesh.ts'
import { TempFolder } from './temp-folder.ts'
import { until } from './until.ts'

export interface Reply {
  /** 0 when there was no answer. */
  readonly status: number
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly body: string
}

export interface Asked {
  readonly host?: string
  readonly headers?: Readonly<Record<string, string>>
  /** Of the Gateway resource. */
  readonly port?: number
}

export interface LocalMeshOptions {
  /** `env` without it. */
  readonly capture?: CaptureMode
  readonly watch?: boolean
  /** Port of a Gateway -> port here; without it any free one for 80, 443 and 8080. */
  readonly gatewayPorts?: ReadonlyMap<number, number>
  /** Wait until everything is up, which it is not on bad days. */
  readonly ready?: boolean
}

const echoProgram = new URL('./mesh-programs/echo.ts', import.meta.url).pathname
const patienceMs = 15_000
/** A dozen processes that begin at once on a machine that has other things to do. */
const upMs = 60_000
const freePorts = new Map([[80, 0], [443, 0], [8080, 0]])

export class LocalMesh implements AsyncDisposable {
  readonly folder: TempFolder
  readonly mesh: Mesh
  /** What the mesh and its processes said. */
  readonly lines: string[]
  readonly accessLog: string[]
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 32 })

  constructor(folder: TempFolder, mesh: Mesh, lines: string[], accessLog: string[]) {
    this.folder = folder
    this.mesh = mesh
    this.lines = lines
    this.accessLog = accessLog
  }

  /** Of what the gateway answers; a body that is JSON. */
  async json(path: string, asked: Asked = {}): Promise<Record<string, unknown>> {
    const { status, body } = await this.get(path, asked)
    assert.equal(status, 200, `${path}: ${status} ${body}`)
    return JSON.parse(body) as Record<string, unknown>
  }

  /** Through the gateway. */
  get(path: string, { host, headers = {}, port = 80 }: Asked = {}): Promise<Reply> {
    const at = this.gatewayAt(port)
    const headersSent = { ...headers, ...(host === undefined ? {} : { host }) }
    return new Promise((resolve) => {
      const failed = (error: unknown): void => resolve({ status: 0, headers: {}, body: String(error) })
      request({ host: at.host, port: at.port, path, agent: this.#agent, timeout: patienceMs, headers: headersSent }, (incoming) => {
        text(incoming).then((body) => resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body }), failed)
      }).on('error', failed).end()
    })
  }

  gatewayAt(port = 80): { readonly host: string; readonly port: number } {
    const found = this.mesh.gateways.find((one) => one.port === port)
    assert.ok(found !== undefined, `no gateway listens for port ${port}\n${this.lines.join('\n')}`)
    return found.address
  }

  pidOf(name: string): number {
    const pid = this.mesh.processes.find((one) => one.name === name && one.pid !== undefined)?.pid
    assert.ok(pid !== undefined, `${name} does not run\n${this.lines.join('\n')}`)
    return pid
  }

  /** Resolves when every proxy has the edit. */
  async edit(change: () => Promise<void>): Promise<void> {
    const before = this.mesh.edits
    await change()
    assert.ok(await this.mesh.settled(before, patienceMs), `no push took effect\n${this.lines.join('\n')}`)
  }

  /** Waits for what must come. */
  until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
    return until(condition, () => `${what}\n${[...this.lines, ...this.accessLog.slice(-5)].join('\n')}`, patienceMs)
  }

  untilSaid(line: RegExp): Promise<void> {
    return this.until(`a line like ${line}`, () => this.lines.some((one) => line.test(one)))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#agent.destroy()
    await this.mesh.stop()
    await this.folder[Symbol.asyncDispose]()
  }
}

/** `files` are by name; a name that ends in / is a folder. */
export async function startLocalMesh(files: Readonly<Record<string, string>>, options: LocalMeshOptions = {}): Promise<LocalMesh> {
  const folder = await TempFolder.create()
  for (const [name, content] of Object.entries(files)) await folder.write(`mesh/${name}`, content)
  const lines: string[] = []
  const accessLog: string[] = []
  const say = (about: string, line: string): void => void lines.push(`${about}: ${line}`)
  const mesh = await startMesh({
    files: [folder.at('mesh')], watch: options.watch ?? false, capture: options.capture ?? 'env', stateDir: folder.at('state'), auditLog: folder.at('state/audit.log'),
    gateways: { host: '127.0.0.1', ports: options.gatewayPorts ?? freePorts, privileged: false },
    verbose: false,
    log: { output: say, say, warn: say },
    accessLog: (_, line) => void accessLog.push(line),
  })
  const one = new LocalMesh(folder, mesh, lines, accessLog)
  if (options.ready === false || (await mesh.ready(upMs))) return one
  const missing = mesh.missing.join(', ')
  await one[Symbol.asyncDispose]()
  assert.fail(`the mesh is not up: ${missing}\n${lines.join('\n')}`)
}

export interface Program {
  readonly namespace?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly env?: Readonly<Record<string, string>>
  /** More of the spec, as YAML flow. */
  readonly spec?: string
}

/** A Process that runs the program of mesh-programs/echo.ts. */
export function echo(name: string, { namespace = 'default', labels = { app: name }, env = {}, spec = '' }: Program = {}): string {
  return `
apiVersion: trysail.dev/v1
kind: Process
metadata: { name: ${name}, namespace: ${namespace}, labels: ${JSON.stringify(labels)} }
spec: { command: ${JSON.stringify([process.execPath, echoProgram])}, env: ${JSON.stringify(env)}, ports: [{ name: http, containerPort: 9080 }], terminationGracePeriodSeconds: 5${spec === '' ? '' : `, ${spec}`} }
---`
}

/** A Service on port 80 that selects `app: NAME`. */
export function service(name: string, namespace = 'default', port = '{ name: http, port: 80, targetPort: 9080 }'): string {
  return `
apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: ${namespace} }
spec: { selector: { app: ${name} }, ports: [${port}] }
---`
}

/** A Gateway on port 80, `edge`, for every host. */
export const edgeGateway = `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: edge }
spec: { selector: { istio: ingressgateway }, servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: ["*"] }] }
---`

/** The same, and a VirtualService that sends everything to a host. */
export function gatewayTo(host: string): string {
  return `${edgeGateway}
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: edge }
spec: { hosts: ["*"], gateways: [edge], http: [{ route: [{ destination: { host: ${host} } }] }] }
---`
}
