// A gateway of the mesh on this machine: a proxy alone, whose listeners stand on local addresses.
import type { DialMap } from '../../agent/env-capture.ts'
import { GatewayPorts } from '../../agent/gateway-ports.ts'
import type { Address } from '../../model/address.ts'
import { formatAddress } from '../../model/address.ts'
import type { Proxy } from '../../proxy/main.ts'
import type { RunLog } from './log.ts'
import type { WantedProcess } from './wanted-process.ts'

/** Below this, listening takes root. */
const firstFreePort = 1024
/** Where those ports go without root: 80 to 8080, 443 to 8443. */
const unprivilegedOffset = 8000
/** Further, where a Gateway has just that port: 80 to 9080 beside one for 8080. */
const unprivilegedStep = 1000

export interface GatewayPlacement {
  /** Address to listen on. */
  readonly host: string
  /** Port of the Gateway resource -> port on this machine; 0 takes any free one. */
  readonly ports: ReadonlyMap<number, number>
  /** Whether ports under 1024 can be had. */
  readonly privileged: boolean
}

export interface GatewayDoor {
  /** Of the Gateway resource. */
  readonly port: number
  /** Where that is on this machine. */
  readonly address: Address
  readonly url: string
}

export class GatewayUnit {
  readonly wanted: WantedProcess
  readonly #capture: GatewayPorts
  readonly #placement: GatewayPlacement
  readonly #log: RunLog
  readonly #said = new Set<string>()
  readonly #ending = Promise.withResolvers<void>()
  /** Also while it starts. */
  #starting: Promise<Proxy> | undefined
  #proxy: Proxy | undefined
  /** Ports that Gateways are written for: none of them is where another is moved to. */
  #written: ReadonlyMap<number, string>

  constructor(wanted: WantedProcess, placement: GatewayPlacement, log: RunLog, dialMap: DialMap, written: ReadonlyMap<number, string>) {
    this.wanted = wanted
    this.#placement = placement
    this.#log = log
    this.#written = written
    this.#capture = new GatewayPorts((port) => this.#place(port), dialMap)
  }

  get proxy(): Proxy | undefined {
    return this.#proxy
  }

  /** Where it listens now. */
  get listening(): readonly GatewayDoor[] {
    return [...this.#capture.placed].flatMap(([listener, port]) => {
      const address = this.#proxy?.boundAddress(listener)
      return address === undefined ? [] : [{ port, address, url: `${schemeOf(this.#written.get(port))}://${formatAddress(address)}` }]
    })
  }

  async start(startProxy: (wanted: WantedProcess, capture: GatewayPorts) => Promise<Proxy>): Promise<void> {
    this.#starting = startProxy(this.wanted, this.#capture)
    this.#proxy = await this.#starting
    await Promise.race([this.#proxy.whenReady, this.#ending.promise])
    for (const { port, url } of this.listening) this.#say(`port ${port} is ${url}`)
  }

  update(dialMap: DialMap, written: ReadonlyMap<number, string>): void {
    this.#written = written
    this.#capture.update(dialMap)
  }

  async stop(): Promise<void> {
    this.#ending.resolve()
    const proxy = await this.#starting?.catch(() => undefined)
    await proxy?.close()
  }

  #say(line: string): void {
    if (this.#said.has(line)) return
    this.#said.add(line)
    this.#log.say(this.wanted.name, line)
  }

  #place(port: number): Address {
    const { host, ports, privileged } = this.#placement
    const given = ports.get(port)
    if (given !== undefined) return { host, port: given }
    if (privileged || port >= firstFreePort) return { host, port }
    let instead = port + unprivilegedOffset
    while (this.#written.has(instead)) instead += unprivilegedStep
    this.#say(`port ${port} needs root: listening on ${formatAddress({ host, port: instead })} instead (--gateway-port ${port}=PORT chooses another)`)
    return { host, port: instead }
  }
}

function schemeOf(protocol = 'HTTP'): string {
  if (protocol.startsWith('HTTPS')) return 'https'
  return /^(HTTP|GRPC)/.test(protocol) ? 'http' : 'tcp'
}
