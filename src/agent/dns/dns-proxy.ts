// The DNS proxy of a workload (traffic spec 3.7) on its sockets: UDP and TCP on the same port, of one or several addresses. What
// becomes of a query is answering.ts's business.
import { systemClock } from '../../lib/clock.ts'
import type { Clock } from '../../lib/clock.ts'
import { hasCode, spawn } from '../../lib/errors.ts'
import type { Address } from '../../model/address.ts'
import { listenUdp } from '../../net/udp.ts'
import type { UdpListening } from '../../net/udp.ts'
import type { Listening } from '../../net/listen.ts'
import type { NameTable } from '../../proxy/main.ts'
import { Answering } from './answering.ts'
import type { AnsweringOptions } from './answering.ts'
import { DnsCounts } from './counts.ts'
import type { FoundName } from './names.ts'
import { listenTcp } from './tcp-side.ts'

export interface DnsProxySettings extends Pick<AnsweringOptions, 'namespace' | 'domain' | 'resolvers'> {
  /** Where it listens, by UDP and TCP; of several with port 0 all get the same one. All but the first may be missing on this machine. */
  readonly addresses: readonly Address[]
  readonly forwardTimeoutMs?: number
  /** Asks all resolvers at once. */
  readonly forwardParallel?: boolean
  /** Shares the port with the process before, which has it until it ends. */
  readonly joins?: boolean
  readonly clock?: Clock
  /** One line for people. */
  readonly log?: (line: string) => void
}

export interface DnsProxy extends AsyncDisposable {
  readonly addresses: readonly Address[]
  /** Once the first table has come. Before that nothing is answered but SERVFAIL. */
  readonly whenNamed: Promise<void>
  /** The names of the mesh, from now on. */
  take(names: NameTable): void
  /** What a look-up of a name finds in the mesh. */
  find(name: string): FoundName | undefined
  readonly counts: DnsCounts
  close(): Promise<void>
}

const defaultTimeoutMs = 5_000
/** The port of UDP may be taken for TCP. */
const portTries = 20

export async function startDnsProxy(settings: DnsProxySettings): Promise<DnsProxy> {
  const proxy = new RunningDnsProxy(settings)
  try {
    await proxy.listen()
    return proxy
  } catch (error) {
    await proxy.close()
    throw error
  }
}

class RunningDnsProxy implements DnsProxy {
  readonly counts = new DnsCounts()
  readonly whenNamed: Promise<void>
  readonly #settings: DnsProxySettings
  readonly #clock: Clock
  readonly #answering: Answering
  readonly #named: () => void
  #udp: readonly UdpListening[] = []
  #tcp: readonly Listening[] = []

  constructor(settings: DnsProxySettings) {
    const { promise, resolve } = Promise.withResolvers<void>()
    const { forwardTimeoutMs = defaultTimeoutMs, forwardParallel = false, clock = systemClock, log = () => undefined } = settings
    this.whenNamed = promise
    this.#named = resolve
    this.#settings = settings
    this.#clock = clock
    this.#answering = new Answering({ ...settings, own: () => this.addresses, forwardTimeoutMs, forwardParallel, clock, counts: this.counts, log })
  }

  get addresses(): readonly Address[] {
    return this.#udp.map(({ address }) => address)
  }

  async listen(): Promise<void> {
    let port = 0
    for (const [index, address] of this.#settings.addresses.entries()) {
      port = await this.#listenAt({ host: address.host, port: address.port === 0 ? port : address.port }).catch((error: unknown) => {
        if (index > 0 && hasCode(error, 'net/listen')) return port
        throw error
      })
    }
  }

  take(names: NameTable): void {
    this.#answering.take(names)
    this.#named()
  }

  find(name: string): FoundName | undefined {
    return this.#answering.find(name.toLowerCase().replace(/\.$/, ''))
  }

  async close(): Promise<void> {
    for (const one of this.#udp) one.close()
    for (const one of this.#tcp) {
      await one.close()
      one.destroyConnections()
    }
    this.#answering.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Both on one port, which by UDP is any that is free where none is given. */
  async #listenAt(address: Address): Promise<number> {
    const reusePort = address.port !== 0
    if (reusePort && this.#settings.joins !== true) await requireFree(address)
    for (let left = portTries; ; left--) {
      const udp = await listenUdp({ address, reusePort }, (bytes, from) => this.#onDatagram(udp, bytes, from))
      try {
        const tcp = await listenTcp({ address: udp.address, reusePort }, this.#clock, (message, from) => this.#answering.respond(message, from, 'tcp'))
        this.#udp = [...this.#udp, udp]
        this.#tcp = [...this.#tcp, tcp]
        return udp.address.port
      } catch (error) {
        udp.close()
        if (address.port !== 0 || left === 0 || !hasCode(error, 'net/in-use')) throw error
      }
    }
  }

  #onDatagram(udp: UdpListening, bytes: Buffer, from: Address): void {
    spawn('a look-up', this.#answering.respond(bytes, from, 'udp').then((response) => {
      if (response !== undefined) udp.send(response, from)
    }))
  }
}

/** A port that can be shared would be shared with anybody by mistake. */
async function requireFree(address: Address): Promise<void> {
  const trial = await listenUdp({ address, reusePort: false }, () => {})
  trial.close()
}
