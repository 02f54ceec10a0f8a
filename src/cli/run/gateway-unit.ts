// A gateway of the mesh on this machine: a proxy alone, whose listeners stand on local addresses.
import type { DialMap } from '../../agent/env-capture.ts'
import { GatewayPorts } from '../../agent/gateway-ports.ts'
import type { Address } from '../../model/address.ts'
import type { Proxy } from '../../proxy/main.ts'
import { PlacedPorts } from './gateway-places.ts'
import type { GatewayDoor, GatewayPlacement, Places } from './gateway-places.ts'
import type { RunLog } from './log.ts'
import type { WantedProcess } from './wanted-process.ts'

export interface GatewayUnitParts {
  readonly placement: GatewayPlacement
  readonly places: Places
  readonly log: RunLog
  /** Whether peers may send to it. */
  onReadiness(key: string, ready: boolean): void
}

export class GatewayUnit {
  readonly wanted: WantedProcess
  /** How services know it. */
  readonly address: string
  readonly #capture: GatewayPorts
  readonly #ports: PlacedPorts
  readonly #ending = Promise.withResolvers<void>()
  /** Also while it starts. */
  #starting: Promise<Proxy> | undefined
  #proxy: Proxy | undefined
  readonly #onReadiness: (ready: boolean) => void

  constructor(wanted: WantedProcess, address: string, parts: GatewayUnitParts, dialMap: DialMap, written: ReadonlyMap<number, string>) {
    this.wanted = wanted
    this.address = address
    this.#ports = new PlacedPorts(parts.placement, parts.places, (line) => parts.log.say(wanted.name, line), written)
    this.#onReadiness = (ready) => parts.onReadiness(wanted.key, ready)
    this.#capture = new GatewayPorts((port) => this.#ports.place(port), dialMap)
  }

  get proxy(): Proxy | undefined {
    return this.#proxy
  }

  /** Where peers' proxies dial for a port of it. */
  doorAt(port: number): Address | undefined {
    const listener = [...this.#capture.placed].find(([, own]) => own === port)?.[0]
    return listener === undefined ? undefined : this.#proxy?.boundAddress(listener)
  }

  /** Where it listens now. */
  get listening(): readonly GatewayDoor[] {
    return [...this.#capture.placed].flatMap(([listener, port]) => {
      const address = this.#proxy?.boundAddress(listener)
      return address === undefined ? [] : [this.#ports.door(port, address)]
    })
  }

  async start(startProxy: (wanted: WantedProcess, capture: GatewayPorts) => Promise<Proxy>): Promise<void> {
    this.#starting = startProxy(this.wanted, this.#capture)
    this.#proxy = await this.#starting
    await Promise.race([this.#proxy.whenReady, this.#ending.promise])
    this.#onReadiness(true)
    for (const { port, url } of this.listening) this.#ports.say(`port ${port} is ${url}`)
  }

  update(dialMap: DialMap, written: ReadonlyMap<number, string>): void {
    this.#ports.written = written
    this.#capture.update(dialMap)
  }

  async stop(): Promise<void> {
    this.#ending.resolve()
    const proxy = await this.#starting?.catch(() => undefined)
    await proxy?.close()
    this.#ports.leave()
  }
}
