// Our own side of the bench: a control plane (not measured), and each proxy in a process of its own.
import { join } from 'node:path'
import type { Tap } from '../src/agent/env-capture.ts'
import type { Address } from '../src/model/address.ts'
import type { Children } from './children.ts'
import type { ControlSaid } from './control-process.ts'
import type { ProxyTask } from './proxy-program.ts'

/** Of bench/mesh/services.yaml. */
const podOf = { plain: '10.77.0.1', server: '10.77.0.2', client: '10.77.0.3' }
const serverService: Address = { host: '10.77.1.2', port: 8080 }
const containerPort = 8080
const tcpPort = 9000
const h2Port = 8090

const local = (port: number): Address => ({ host: '127.0.0.1', port })

/** As `trysail run` starts it. A bigger young generation: garbage of a request dies there. */
const nodeFlags = ['--max-semi-space-size=32']

export class MeshProcesses {
  readonly #children: Children
  readonly #control: ControlSaid
  readonly #flags: readonly string[]
  /** The `bench` whose proxies these are. */
  readonly #bench: string

  constructor(children: Children, control: ControlSaid, flags: readonly string[], bench = import.meta.dirname) {
    this.#children = children
    this.#control = control
    this.#flags = flags
    this.#bench = bench
  }

  /** `more`: files of resources beside bench/mesh. */
  static async start(children: Children, folder: string, flags: readonly string[], more: readonly string[] = []): Promise<MeshProcesses> {
    const { said } = await children.program<ControlSaid>('control plane', [process.execPath, `${import.meta.dirname}/control-process.ts`, folder, ...more], 'load')
    return new MeshProcesses(children, said, flags)
  }

  /** Proxies of another tree, under the same control plane. */
  of(tree: string, flags: readonly string[]): MeshProcesses {
    return new MeshProcesses(this.#children, this.#control, flags, join(tree, 'bench'))
  }

  /** Where an Envoy finds ADS. */
  get plaintextPort(): number {
    return this.#control.plaintextPort
  }

  /** Plain in, plain out to `upstream`. */
  gateway(port: number, upstream: number): Promise<number> {
    return this.#gateway('ingressgateway', port, [[`${podOf.plain}:${containerPort}`, local(upstream)]])
  }

  /** HTTP/2 in, HTTP/2 out to `upstream`, both plain. */
  h2Gateway(port: number, upstream: number): Promise<number> {
    return this.#gateway('h2gateway', port, [[`${podOf.plain}:${h2Port}`, local(upstream)]])
  }

  /** Bytes in, bytes out to `upstream`. */
  relay(port: number, upstream: number): Promise<number> {
    return this.#gateway('relaygateway', port, [[`${podOf.plain}:${tcpPort}`, local(upstream)]])
  }

  /** Mutual TLS in, its bytes out to `upstream`. */
  tlsRelay(port: number, upstream: number): Promise<number> {
    const own = { host: podOf.server, port: tcpPort }
    return this.#sidecar('server', [{ listen: { address: local(port) }, direction: 'inbound', originalDestination: own }], upstream, tcpPort)
  }

  #gateway(istio: string, port: number, dialMap: ProxyTask['dialMap']): Promise<number> {
    return this.#proxy('gateway', {
      settings: { type: 'router', name: 'gateway', namespace: 'bench', serviceAccount: 'gateway', ip: '127.0.0.1', labels: { istio, app: 'gateway' } },
      gatewayPort: port,
      dialMap,
    })
  }

  /** Mutual TLS in, plain out to `upstream`. */
  inbound(port: number, upstream: number): Promise<number> {
    const own = { host: podOf.server, port: containerPort }
    return this.#sidecar('server', [{ listen: { address: local(port) }, direction: 'inbound', originalDestination: own }], upstream)
  }

  /** Plain in, mutual TLS out to `upstream`, which stands for the server's own sidecar. */
  outbound(port: number, upstream: number): Promise<number> {
    const tap: Tap = { listen: { address: local(port) }, direction: 'outbound', originalDestination: serverService, authority: 'server.bench.svc.cluster.local:8080' }
    return this.#sidecar('client', [tap], upstream)
  }

  #sidecar(of: 'server' | 'client', taps: readonly Tap[], upstream: number, at = containerPort): Promise<number> {
    return this.#proxy(`${of}'s sidecar`, {
      settings: { name: `${of}-v1`, namespace: 'bench', serviceAccount: of, ip: podOf[of], labels: { app: of, version: 'v1' }, workloadName: `${of}-v1` },
      taps,
      dialMap: [[`${podOf.server}:${at}`, local(upstream)]],
    })
  }

  async #proxy(name: string, task: Omit<ProxyTask, 'roots'>): Promise<number> {
    const { discoveryAddress, roots, tokens } = this.#control
    const settings = { discoveryAddress, token: tokens[task.settings.serviceAccount!]!, ...task.settings }
    const whole: ProxyTask = { ...task, settings, roots }
    const command = [process.execPath, ...nodeFlags, ...this.#flags, join(this.#bench, 'proxy-process.ts'), JSON.stringify(whole)]
    return (await this.#children.program(name, command, 'measured')).pid
  }
}
