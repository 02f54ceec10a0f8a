// A gateway of the mesh on this machine: a proxy alone, whose listeners stand on local addresses.
import type { DialMap } from '../../agent/env-capture.ts'
import { GatewayPorts } from '../../agent/gateway-ports.ts'
import type { Address } from '../../model/address.ts'
import type { Proxy } from '../../proxy/main.ts'
import type { RunLog } from './log.ts'
import type { WantedProcess } from './wanted-process.ts'

/** Below this, listening takes root. */
const firstFreePort = 1024
/** Where those ports go without root: 80 to 8080, 443 to 8443. */
const unprivilegedOffset = 8000

export interface GatewayPlacement {
  /** Address to listen on. */
  readonly host: string
  /** Port of the Gateway resource -> port on this machine; 0 takes any free one. */
  readonly ports: ReadonlyMap<number, number>
  /** Whether ports under 1024 can be had. */
  readonly privileged: boolean
}

export class GatewayUnit {
  readonly wanted: WantedProcess
  readonly #capture: GatewayPorts
  readonly #log: RunLog
  readonly #said = new Set<number>()
  #proxy: Proxy | undefined

  constructor(wanted: WantedProcess, placement: GatewayPlacement, dialMap: DialMap, log: RunLog) {
    this.wanted = wanted
    this.#log = log
    this.#capture = new GatewayPorts((port) => this.#place(port, placement), dialMap)
  }

  get proxy(): Proxy | undefined {
    return this.#proxy
  }

  /** Where it listens now. */
  get listening(): readonly Address[] {
    return this.#proxy?.listening ?? []
  }

  async start(startProxy: (wanted: WantedProcess, capture: GatewayPorts) => Promise<Proxy>): Promise<void> {
    this.#proxy = await startProxy(this.wanted, this.#capture)
    await this.#proxy.whenReady
  }

  update(dialMap: DialMap): void {
    this.#capture.update(dialMap)
  }

  async stop(): Promise<void> {
    await this.#proxy?.close()
  }

  #place(port: number, { host, ports, privileged }: GatewayPlacement): Address {
    const given = ports.get(port)
    if (given !== undefined) return { host, port: given }
    if (privileged || port >= firstFreePort) return { host, port }
    const instead = port + unprivilegedOffset
    if (!this.#said.has(port)) {
      this.#said.add(port)
      this.#log.say(this.wanted.name, `port ${port} needs root: listening on ${host}:${instead} instead (--gateway-port ${port}=PORT chooses another)`)
    }
    return { host, port: instead }
  }
}
