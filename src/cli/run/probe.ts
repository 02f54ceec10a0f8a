// Asks whether a local program can take requests: a TCP connect, or an HTTP GET that answers 200 to 399, as Kubernetes'
// readiness probes do.
import { request } from 'node:http'
import { connect } from '../../net/connect.ts'
import type { Address } from '../../model/address.ts'
import type { Probe } from './wanted-process.ts'

/** Undefined when it is ready, else why not. */
export type ProbeOnce = (probe: Probe, at: Address) => Promise<string | undefined>

export const probeOnce: ProbeOnce = (probe, at) => (probe.path === undefined ? connects(probe, at) : answers(probe, probe.path, at))

function connects({ timeoutMs }: Probe, at: Address): Promise<string | undefined> {
  return new Promise((resolve) => {
    connect({ address: at, timeoutMs }, (error, transport) => {
      transport?.destroy()
      resolve(error === undefined ? undefined : `nothing accepts connections on ${at.host}:${at.port}`)
    })
  })
}

function answers({ headers, timeoutMs }: Probe, path: string, { host, port }: Address): Promise<string | undefined> {
  return new Promise((resolve) => {
    const asked = request({ host, port, path, headers: Object.fromEntries(headers), timeout: timeoutMs, agent: false }, (response) => {
      const status = response.statusCode ?? 0
      response.resume()
      resolve(status >= 200 && status < 400 ? undefined : `GET ${path} answers ${status}`)
    })
    asked.on('timeout', () => asked.destroy(new Error(`no answer within ${timeoutMs} ms`)))
    asked.on('error', (error) => resolve(`GET ${path} on port ${port}: ${error.message}`))
    asked.end()
  })
}
