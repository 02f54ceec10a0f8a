// Capture without any privilege: local taps that a workload is pointed at by its environment. A tap stands for one
// address of the mesh; what connects to it arrives as if it had gone there and been redirected.
import { MeshError } from '../lib/errors.ts'
import type { Address } from '../model/address.ts'
import { formatAddress } from '../model/address.ts'
import { listen } from '../net/listen.ts'
import type { ListenOn, Listening } from '../net/listen.ts'
import type { Listen } from '../net/listen-set.ts'
import type { Capture, CaptureDirection, Deliver } from '../proxy/listen/capture.ts'
import type { CompiledListener } from '../proxy/listen/compile.ts'

export interface Tap {
  /** An address to listen on, or a server that listens already. */
  readonly listen: ListenOn
  readonly direction: CaptureDirection
  /** The address that the tap stands for: a virtual IP, or the workload's own. */
  readonly originalDestination: Address
  /** Replaces a Host that names the tap itself: `reviews.default.svc.cluster.local:9080`. */
  readonly authority?: string
}

/** `10.0.0.1:9080` -> `127.0.0.1:3000`: where something that has this address in the mesh really listens. */
export type DialMap = Pick<ReadonlyMap<string, Address>, 'get'>

export class EnvCapture implements Capture {
  /** HTTP_PROXY leads to a listener of the proxy itself. */
  readonly forwards = true
  #taps: readonly Tap[]
  #dialMap: DialMap
  /** The application beside this proxy: what has come in goes on to it. Everybody else, and what calls itself, meets a sidecar. */
  #application: DialMap
  readonly #open = new Map<Tap, Listening>()
  readonly #listen: Listen
  #deliver: Deliver | undefined
  /** One update after the other: two at once would open a tap twice, and its connections would be delivered twice. */
  #updating: Promise<void> = Promise.resolve()

  constructor(taps: readonly Tap[], dialMap: DialMap, application: DialMap = new Map(), listenOn: Listen = listen) {
    this.#listen = listenOn
    this.#taps = taps
    this.#dialMap = dialMap
    this.#application = application
  }

  /** The listeners of the kernel's redirect, 15001 and 15006, are not bound: taps take their place. */
  bindsAt({ address, handsOver, inspectors }: CompiledListener): Address | undefined {
    return handsOver || inspectors.originalDestination ? undefined : address
  }

  originalDestination(): undefined {
    return undefined
  }

  readonly dial = (address: Address, tls: boolean): Address => {
    const at = formatAddress(address)
    return (tls ? undefined : this.#application.get(at)) ?? this.#dialMap.get(at) ?? address
  }

  async start(deliver: Deliver): Promise<void> {
    this.#deliver = deliver
    await this.update(this.#taps, this.#dialMap, this.#application)
  }

  /** Opens taps that are new and closes those that are gone; a tap is the same while it is the same object. */
  update(taps: readonly Tap[], dialMap: DialMap, application: DialMap): Promise<void> {
    const updated = this.#updating.then(() => this.#update(taps, dialMap, application))
    this.#updating = updated.catch(() => {}) // whoever asked hears of it; the next one starts afresh
    return updated
  }

  async #update(taps: readonly Tap[], dialMap: DialMap, application: DialMap): Promise<void> {
    const gone = this.#taps.filter((tap) => !taps.includes(tap))
    this.#taps = taps
    this.#dialMap = dialMap
    this.#application = application
    await Promise.all(gone.map((tap) => this.#close(tap)))
    const deliver = this.#deliver
    if (deliver === undefined) return
    for (const tap of taps) if (!this.#open.has(tap)) this.#open.set(tap, await openTap(tap, deliver, this.#listen))
  }

  async stop(): Promise<void> {
    this.#deliver = undefined
    await this.#updating
    await Promise.all(this.#taps.map((tap) => this.#close(tap)))
    this.#taps = []
  }

  /** Also a port that was reserved for a tap and never opened is given back. */
  async #close(tap: Tap): Promise<void> {
    const listening = this.#open.get(tap)
    this.#open.delete(tap)
    if (listening !== undefined) await listening.close()
    else if ('server' in tap.listen) tap.listen.server.close()
  }
}

async function openTap({ listen: on, direction, originalDestination, authority }: Tap, deliver: Deliver, listenOn: Listen): Promise<Listening> {
  const arrival = { originalDestination, authority }
  try {
    return await listenOn({ ...on, onConnection: (inbound) => deliver(direction, inbound, arrival) })
  } catch (error) {
    throw new MeshError('agent/tap', `${direction} connections to ${authority ?? formatAddress(originalDestination)} cannot be taken`, error)
  }
}
