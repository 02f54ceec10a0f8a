// One scrape for a workload (ops spec 3.9): what the proxy has counted, then what its application says at the place that its
// prometheus.io annotations name. An application that does not answer costs only its own part.
import type { IncomingHttpHeaders } from 'node:http'
import { describe } from '../../lib/errors.ts'
import { request } from '../../net/node-http.ts'
import type { AppMetrics } from './app-metrics.ts'
import { placeOf } from './probe.ts'
import type { ProbePlace } from './probe.ts'

export interface Scraped {
  readonly contentType: string
  readonly body: string
}

/** For one application; more is as bad as no answer. */
const maxBytes = 10 * 1024 * 1024
/** Prometheus' own, where it does not say. */
const defaultTimeoutMs = 10_000
const maxTimeoutMs = 60_000
const plain = 'text/plain; version=0.0.4; charset=utf-8'

export interface Scraping {
  readonly proxy: () => Promise<string>
  readonly app: AppMetrics | undefined
  readonly place: ProbePlace
  /** Of who scrapes. */
  readonly headers: IncomingHttpHeaders
  onProblem(problem: string): void
}

export async function scrape({ proxy, app, place, headers, onProblem }: Scraping): Promise<Scraped> {
  const failed = (part: string) => (error: unknown) => {
    onProblem(`${part}: ${describe(error)}`)
    return undefined
  }
  const [own, theirs] = await Promise.all([
    proxy().catch(failed('the proxy')),
    app === undefined ? undefined : metricsOf(app, place, headers).catch(failed('the application')),
  ])
  return { contentType: theirs?.contentType ?? plain, body: (own ?? '') + (theirs?.body ?? '') }
}

/** Headers that say what who scrapes can read, and how long it waits. */
const forwarded = ['accept', 'user-agent', 'x-prometheus-scrape-timeout-seconds']

function metricsOf({ port, path }: AppMetrics, place: ProbePlace, asked: IncomingHttpHeaders): Promise<Scraped> {
  return new Promise((resolve, reject) => {
    const at = placeOf({ host: '', port }, place)
    const from = place.from(at.host)
    const headers = Object.fromEntries(forwarded.flatMap((name) => (asked[name] === undefined ? [] : [[name, asked[name]]])))
    const signal = AbortSignal.timeout(timeoutOf(asked))
    const sent = request({ host: at.host, port: at.port, path, headers, agent: false, signal, ...(from === undefined ? {} : { localAddress: from }) }, (response) => {
      if (response.statusCode !== 200) {
        response.destroy()
        return reject(new Error(`GET ${path} answers ${response.statusCode}`))
      }
      collect(response).then((body) => resolve({ contentType: typeOf(response.headers['content-type']), body: body.endsWith('\n') ? body : `${body}\n` }), reject)
    })
    sent.on('error', (error) => reject(signal.aborted ? new Error('no answer in time') : error))
    sent.end()
  })
}

function timeoutOf(headers: IncomingHttpHeaders): number {
  const seconds = Number(headers['x-prometheus-scrape-timeout-seconds'] ?? '')
  return seconds > 0 ? Math.min(seconds * 1000, maxTimeoutMs) : defaultTimeoutMs
}

/** OpenMetrics only where the application answers in it: its part comes last, and brings the end mark. */
function typeOf(contentType = ''): string {
  return /^application\/openmetrics-text\b/i.test(contentType) ? contentType : plain
}

async function collect(response: AsyncIterable<Buffer>): Promise<string> {
  const pieces: Buffer[] = []
  let bytes = 0
  for await (const piece of response) {
    bytes += piece.length
    if (bytes > maxBytes) throw new Error(`more than ${maxBytes} bytes`)
    pieces.push(piece)
  }
  return Buffer.concat(pieces).toString('utf8')
}
