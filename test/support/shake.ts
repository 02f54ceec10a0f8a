// Handshakes with a server that greets: only when its first byte is there has it accepted the client's certificate.
import { connect } from '../../src/net/connect.ts'
import type { ClientTls } from '../../src/net/tls.ts'

/** Undefined: it was taken. Otherwise what failed. */
export function shake(port: number, tls: ClientTls): Promise<string | undefined> {
  return new Promise((resolve) => {
    connect({ address: { host: '127.0.0.1', port }, timeoutMs: 20_000, tls }, (error, transport) => {
      if (transport === undefined) return resolve(String(error))
      transport.handler = {
        onData() {
          resolve(undefined)
          transport.destroy()
        },
        onDrain() {},
        onEnd() {
          resolve('ended without an answer')
          transport.destroy()
        },
        onClose: (cause) => resolve(`closed without an answer: ${String(cause)}`),
      }
      transport.resume()
    })
  })
}
