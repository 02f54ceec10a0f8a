// One GET to an application, as Kubernetes' probes do: any certificate will do, a self-signed one too, redirects on the same host
// are followed, and one that leads elsewhere is an answer.
import type { IncomingMessage, RequestOptions } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { formatAddress } from '../../model/address.ts'
import { request as httpRequest } from '../../net/node-http.ts'
import { placeOf } from './probe.ts'
import type { Asking, HttpProbe, Problem } from './probe.ts'

export interface HttpAnswer {
  readonly status: number
  readonly contentType: string
  /** The beginning of it. */
  readonly body: Buffer
}

/** What Kubernetes keeps of an answer. */
const maxBodyBytes = 10 * 1024
const maxRedirects = 10

export async function askHttp(probe: HttpProbe, asking: Asking): Promise<Problem> {
  try {
    const { status } = await getHttp(probe, asking)
    return status >= 200 && status < 400 ? undefined : `GET ${probe.path} answers ${status}`
  } catch (error) {
    return `GET ${probe.path} on port ${probe.port}: ${error instanceof Error ? error.message : String(error)}`
  }
}

/** Rejects with the system's error, or for what took too long. `more` headers go before those of the probe. */
export async function getHttp(probe: HttpProbe, { place, timeoutMs }: Asking, more: HttpProbe['headers'] = []): Promise<HttpAnswer> {
  const limit = AbortSignal.timeout(timeoutMs)
  const { host, port } = placeOf(probe, place)
  const shown = probe.host === '' ? place.ip : probe.host
  const from = place.from(host)
  const headers = headersOf([['host', formatAddress({ host: shown, port: probe.port })], ['user-agent', 'kube-probe/trysail'], ['accept', '*/*'], ...more, ...probe.headers])
  const options: RequestOptions = { host, port, headers, signal: limit, agent: false, ...(from === undefined ? {} : { localAddress: from }) }
  let path = probe.path
  for (let redirects = 0; ; redirects++) {
    const response = await send(probe.tls, { ...options, path }).catch((error: unknown) => {
      throw limit.aborted ? new Error(`no answer within ${timeoutMs} ms`) : error
    })
    const next = redirectOf(response, probe, path, shown)
    if (next === undefined) return await answerOf(response, limit, timeoutMs)
    response.destroy()
    if (next === 'elsewhere') return { status: 200, contentType: '', body: Buffer.alloc(0) }
    if (redirects === maxRedirects) throw new Error(`more than ${maxRedirects} redirects`)
    path = next
  }
}

/** Later ones replace; each name once is what probes are written with. */
function headersOf(pairs: HttpProbe['headers']): Record<string, string> {
  return Object.fromEntries(pairs.map(([name, value]) => [name.toLowerCase(), value]))
}

function send(tls: boolean, options: RequestOptions): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const asked = tls ? httpsRequest({ ...options, rejectUnauthorized: false }, resolve) : httpRequest(options, resolve)
    asked.on('error', reject)
    asked.end()
  })
}

/** A path of the same host, `elsewhere`, or none. */
function redirectOf({ statusCode = 0, headers: { location } }: IncomingMessage, { tls, port }: HttpProbe, path: string, host: string): string | undefined {
  if (statusCode < 300 || statusCode > 399 || statusCode === 304 || location === undefined) return undefined
  const base = `${tls ? 'https' : 'http'}://${formatAddress({ host, port })}`
  if (!URL.canParse(location, base + path)) return 'elsewhere'
  const next = new URL(location, base + path)
  return next.origin === new URL(base).origin ? next.pathname + next.search : 'elsewhere'
}

/** What is over the limit is not read. */
async function answerOf(response: IncomingMessage, limit: AbortSignal, timeoutMs: number): Promise<HttpAnswer> {
  const pieces: Buffer[] = []
  let bytes = 0
  try {
    for await (const piece of response as AsyncIterable<Buffer>) {
      pieces.push(piece)
      if ((bytes += piece.length) >= maxBodyBytes) break
    }
  } catch (error) {
    throw limit.aborted ? new Error(`no whole answer within ${timeoutMs} ms`) : error
  }
  return { status: response.statusCode ?? 0, contentType: response.headers['content-type'] ?? '', body: Buffer.concat(pieces).subarray(0, maxBodyBytes) }
}
