// A plain TCP connection for probes, as node's own socket: from an address that redirects leave alone, where there is one.
// What the proxy itself dials goes through connect.ts.
import { connect, isIPv6 } from 'node:net'
import type { Socket } from 'node:net'
import type { Address } from '../model/address.ts'
import { connectError, connectTimeout } from './errors.ts'

export interface DialFrom {
  readonly address: Address
  readonly timeoutMs: number
  /** Local address; undefined leaves it to the system. */
  readonly from: string | undefined
}

/** Rejects with a NetError. The caller destroys it. */
export function dialFrom({ address, timeoutMs, from }: DialFrom): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address.host, port: address.port, noDelay: true, ...(from === undefined ? {} : { localAddress: from }) })
    const give = (error: Error): void => {
      socket.destroy()
      reject(error)
    }
    const timer = setTimeout(() => give(connectTimeout(address, timeoutMs)), timeoutMs)
    socket.once('close', () => clearTimeout(timer))
    socket.once('error', (error) => give(connectError(address, error)))
    socket.once('connect', () => {
      clearTimeout(timer)
      socket.removeAllListeners('error')
      socket.on('error', () => {}) // whoever has it now sees that it closes
      resolve(socket)
    })
  })
}

/** What Istio's redirect leaves alone: connections of the proxy to its own workload (ops spec 4.4). */
export const outsideOfCapture = (host: string): string => (isIPv6(host) ? '::6' : '127.0.0.6')
