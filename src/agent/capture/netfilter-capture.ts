// Capture by the kernel, as in a Pod: the rules of apply.ts bring every connection to the two capture ports, which the proxy
// really listens on here. Where a connection was going is asked of the kernel; all addresses are what they say they are.
import { networkInterfaces } from 'node:os'
import type { Address } from '../../model/address.ts'
import type { Inbound } from '../../net/listen.ts'
import { markOwnSockets } from '../../net/own-mark.ts'
import { OriginalDestinations } from '../../net/original-destination.ts'
import { socketOptions } from '../../net/socket-options.ts'
import type { SocketOptions } from '../../net/socket-options.ts'
import type { Capture } from '../../proxy/listen/capture.ts'
import type { CompiledListener } from '../../proxy/listen/compile.ts'
import { captureError } from './commands.ts'
import { SelfProbe } from './self-probe.ts'

export interface NetfilterParts {
  /** The workload's own addresses: a connection to each has to be captured before the proxy says that it serves. Empty: no probe. */
  readonly probes: readonly string[]
  /** By which the rules know the proxy's own packets, where its user does not tell; 0: by its user. */
  readonly mark?: number
  readonly options?: SocketOptions
  readonly dualStack?: boolean
}

export class NetfilterCapture implements Capture {
  /** 127.0.0.6 and ::6: the rules leave alone what comes from there. */
  readonly bindsSources = true
  readonly #destinations: OriginalDestinations
  readonly #probes: readonly string[]
  readonly #probe = new SelfProbe()
  readonly #dualStack: boolean
  /** Listener -> its port. */
  readonly #captures = new Map<string, number>()

  /** Throws `agent/no-kernel` where the kernel cannot be asked. */
  constructor({ probes, mark = 0, options = optionsOrThrow(), dualStack = hasV6() }: NetfilterParts) {
    if (mark !== 0) markOrThrow(mark)
    this.#destinations = new OriginalDestinations(options)
    this.#probes = probes
    this.#dualStack = dualStack
  }

  /** The capture ports take both families, also where the control plane speaks of IPv4 only. */
  bindsAt({ name, address, handsOver, inspectors }: CompiledListener): Address {
    if (!handsOver && !inspectors.originalDestination) return address
    this.#captures.set(name, address.port)
    return this.#dualStack && address.host === '0.0.0.0' ? { host: '::', port: address.port } : address
  }

  originalDestination(inbound: Inbound, listener: string): Address | undefined | null {
    const port = this.#captures.get(listener)
    if (port === undefined) return undefined
    const found = this.#goalOf(inbound, port)
    if (found === undefined || !this.#probe.met(found, inbound.remoteAddress)) return found
    inbound.destroy()
    return null
  }

  /** A transparent socket (TPROXY) stands for all addresses: its own one is where the client meant to go. */
  #goalOf({ localAddress, remoteAddress, descriptor }: Inbound, port: number): Address | undefined {
    if (localAddress.port !== port) return localAddress
    return descriptor === undefined ? undefined : this.#destinations.of(descriptor, remoteAddress.host.includes(':'))
  }

  readonly dial = (address: Address): Address => address

  /** Rejects with `agent/not-captured`. The listeners are bound by then. */
  async start(): Promise<void> {
    for (const address of this.#probes) await this.#probe.run(address)
  }

  stop(): Promise<void> {
    return Promise.resolve()
  }
}

function optionsOrThrow(): SocketOptions {
  const { options, problem } = socketOptions()
  if (options === undefined) throw captureError('agent/no-kernel', `cannot ask the kernel where captured connections were going: ${problem}`)
  return options
}

/** For all sockets of this thread. */
function markOrThrow(mark: number): void {
  try {
    markOwnSockets(mark)
  } catch (error) {
    throw captureError('agent/no-permission', `--proxy-mark ${mark} cannot be set: it needs CAP_NET_ADMIN in this network namespace`, error)
  }
}

/** A kernel without IPv6, or told not to use it, has no ::1. */
const hasV6 = (): boolean => Object.values(networkInterfaces()).flat().some((one) => one?.address === '::1')
