// How connections get to the proxy that were not sent to it: a redirect of the kernel, or local taps. Agents implement
// this; the proxy works without one, serving only the listeners that it binds itself.
import type { Address } from '../../model/address.ts'
import type { Inbound } from '../../net/listen.ts'
import type { CompiledListener } from './compile.ts'
import type { Arrival } from './connection.ts'

export type CaptureDirection = 'outbound' | 'inbound'

/** Takes a captured connection as if it had arrived on the capture port of its direction. */
export type Deliver = (direction: CaptureDirection, inbound: Inbound, arrival: Arrival) => void

export interface Capture {
  /** Where the proxy listens for this listener: its own address, unless it stands elsewhere on this machine. Undefined: the capture brings its connections. */
  bindsAt(listener: CompiledListener): Address | undefined
  /**
   * Where a connection on a bound listener was really going; undefined when nothing redirected it. Null: it was the capture's own
   * and is closed.
   */
  originalDestination(inbound: Inbound, listener: string): Address | undefined | null
  /** The addresses from which clusters want their connections to come are those of this machine. */
  readonly bindsSources?: boolean
  /** Whoever comes to a bound listener that nothing redirected uses the proxy as a forward proxy: it means the authority that it names. */
  readonly forwards?: boolean
  /**
   * Where an address is dialled on this machine: itself, unless the workload listens elsewhere. With TLS a sidecar is
   * meant, also where the address is the workload's own: who calls its own service goes out and in again.
   */
  dial(address: Address, tls: boolean): Address
  /** Starts to capture. Called once the proxy is ready to serve. */
  start(deliver: Deliver): Promise<void>
  /** No new connections. */
  stop(): Promise<void>
}

/** Nothing is captured: gateways, and proxies that clients are pointed at. */
export const noCapture: Capture = {
  bindsAt: ({ address }) => address,
  originalDestination: () => undefined,
  dial: (address) => address,
  start: () => Promise.resolve(),
  stop: () => Promise.resolve(),
}
