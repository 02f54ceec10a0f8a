// Is the traffic really captured? A connection to the workload's own address, at the port that Istio keeps for this, has to come
// to the proxy: rules that are missing, or stand in another network namespace, are found before the first request is.
import { formatAddress } from '../../model/address.ts'
import type { Address } from '../../model/address.ts'
import { connect } from '../../net/connect.ts'
import { captureError } from './commands.ts'

/** Nobody listens there. */
export const probePort = 15002

/** On one machine an answer takes less than a millisecond; a machine that is busy starting workloads takes longer. */
const timeoutMs = 5_000

export class SelfProbe {
  readonly #expected = new Map<string, () => void>()

  /** Whether a captured connection is a probe, of this thread or another one of the proxy. */
  met(originalDestination: Address, from: Address): boolean {
    if (originalDestination.port !== probePort || originalDestination.host !== from.host) return false
    this.#expected.get(formatAddress(originalDestination))?.()
    return true
  }

  /** Resolves once the connection has come to this proxy; rejects with `agent/not-captured` when it went elsewhere. */
  async run(host: string): Promise<void> {
    const to = { host, port: probePort }
    const key = formatAddress(to)
    let end = (): void => {}
    try {
      await new Promise<void>((resolve, reject) => {
        this.#expected.set(key, resolve)
        const cancel = connect({ address: to, timeoutMs }, (error, transport) => {
          if (transport === undefined) return reject(notCaptured(key, error))
          const timer = setTimeout(() => reject(notCaptured(key, undefined)), timeoutMs)
          end = () => {
            clearTimeout(timer)
            transport.destroy()
          }
          // Another thread may have met it: who meets it closes it.
          transport.handler = { ...transport.handler, onEnd: () => resolve(), onClose: () => resolve() }
          transport.resume()
        })
        end = cancel
      })
    } finally {
      end()
      this.#expected.delete(key)
    }
  }
}

function notCaptured(at: string, cause: unknown): Error {
  return captureError('agent/not-captured', `traffic is not captured: a connection of the proxy to ${at} did not come back to its inbound port. Put the rules in place as root in this network namespace ('trysail agent capture --apply'), and run the proxy as user 1337 or another one that they name (--proxy-uids)`, cause)
}
