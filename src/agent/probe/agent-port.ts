// The agent's HTTP port (Istio's 15020, ops spec 1.8): kubelet asks here whether proxy and application are well, Prometheus scrapes
// both, and the workload itself may drain or end its proxy. It is plain HTTP and never captured: so mutual TLS, STRICT or not, is
// no hindrance. Each path is one row of a table.
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { MeshError, describe, spawn } from '../../lib/errors.ts'
import { listenError } from '../../net/listen-error.ts'
import { isLoopbackAddress, isLoopbackAuthority } from '../../net/loopback.ts'
import { createServer } from '../../net/node-http.ts'
import type { AppMetrics } from './app-metrics.ts'
import type { AppProbers, AppProber } from './app-probers.ts'
import { ask } from './ask.ts'
import { getHttp } from './http-probe.ts'
import type { ProbePlace } from './probe.ts'
import { scrape } from './scrape.ts'

/** What is asked of the proxy beside it. */
export interface AgentProxy {
  /** Empty when it serves. */
  readonly notReadyBecause: string
  prometheus(): Promise<string>
}

export interface AgentPortOptions {
  /** On all addresses of this machine; 0: any free one. */
  readonly port: number
  readonly proxy: AgentProxy
  /** Others that have to be ready too: empty when they are. */
  readonly alsoReady?: readonly (() => string)[]
  readonly place: ProbePlace
  readonly probers: AppProbers
  readonly appMetrics: AppMetrics | undefined
  /** POST /quitquitquit: ends without a drain. */
  onQuit(): void
  /** POST /drain: the process stays. */
  onDrain(): void
  log(line: string): void
}

export interface AgentPort extends AsyncDisposable {
  readonly port: number
  close(): Promise<void>
}

interface Answer {
  readonly status: number
  readonly contentType?: string
  readonly body: string | Buffer
}

/** kubelet, one or two Prometheus and a preStop hook: more would only be a way to slow the proxy down. */
const maxConnections = 256
/** What is still being answered when the port is closed. */
const lastAnswersMs = 1000
const timeouts = { headersTimeout: 10_000, requestTimeout: 30_000, keepAliveTimeout: 90_000 }

/** Rejects with `agent/port` when the port is not to be had. */
export function startAgentPort(options: AgentPortOptions): Promise<AgentPort> {
  return startPort(options.port, { name: "the agent's port (statusPort)", flag: '--status-port' }, (request) => resolve(options, request))
}

/** Istio's 15021: nothing but whether the proxy is ready, for load balancers that shall not see more. Rejects with `agent/port`. */
export function startHealthPort({ port, ...options }: Pick<AgentPortOptions, 'port' | 'proxy' | 'alsoReady'>): Promise<AgentPort> {
  return startPort(port, { name: 'the health port', flag: '--health-port' }, ({ url = '/' }) => Promise.resolve(url.split('?')[0] === '/healthz/ready' ? ready(options) : text(404, 'no such path: /healthz/ready')))
}

interface PortWords {
  readonly name: string
  readonly flag: string
}

async function startPort(port: number, words: PortWords, resolveTo: (request: IncomingMessage) => Promise<Answer>): Promise<AgentPort> {
  const server = createServer({ ...timeouts, maxHeaderSize: 16_384 }, (request, response) => spawn('answering a probe', answer(resolveTo, request, response)))
  server.maxConnections = maxConnections
  await listening(server, port, words)
  server.unref()
  const bound = server.address()
  const close = (): Promise<void> => new Promise((resolve) => {
    // Who is being answered gets the answer.
    const cut = setTimeout(() => server.closeAllConnections(), lastAnswersMs)
    server.close(() => {
      clearTimeout(cut)
      resolve()
    })
  })
  return { port: typeof bound === 'object' && bound !== null ? bound.port : 0, close, [Symbol.asyncDispose]: close }
}

function listening(server: Server, port: number, { name, flag }: PortWords): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => reject(new MeshError('agent/port', `${name} ${port} cannot be had: choose another with ${flag}, 0 for none`, listenError({ host: '*', port }, cause))))
    server.listen(port, resolve)
  })
}

async function answer(resolveTo: (request: IncomingMessage) => Promise<Answer>, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { status, contentType = 'text/plain; charset=utf-8', body } = await resolveTo(request)
  request.resume()
  response.writeHead(status, { 'content-type': contentType, 'content-length': Buffer.byteLength(body), 'x-content-type-options': 'nosniff' })
  response.end(request.method === 'HEAD' ? undefined : body)
}

const text = (status: number, body: string): Answer => ({ status, body: `${body}\n` })

async function resolve(options: AgentPortOptions, request: IncomingMessage): Promise<Answer> {
  const [path = '/'] = (request.url ?? '/').split('?')
  try {
    if (path === '/healthz/ready') return ready(options)
    if (path === '/stats/prometheus' || path === '/metrics') return await metrics(options, request)
    if (path === '/quitquitquit') return told(request, options.onQuit)
    if (path === '/drain') return told(request, options.onDrain)
    if (path.startsWith('/app-health/') || path.startsWith('/app-lifecycle/')) return await asked(options, path, request)
  } catch (error) {
    return text(500, describe(error))
  }
  return text(404, 'no such path: /healthz/ready, /app-health/CONTAINER/readyz, /stats/prometheus, /drain, /quitquitquit')
}

function ready({ proxy, alsoReady = [] }: Pick<AgentPortOptions, 'proxy' | 'alsoReady'>): Answer {
  const why = [proxy.notReadyBecause, ...alsoReady.map((one) => one())].filter((one) => one !== '')
  return why.length === 0 ? text(200, 'ready') : text(503, why.join('; '))
}

async function metrics({ proxy, appMetrics, place, log }: AgentPortOptions, { headers }: IncomingMessage): Promise<Answer> {
  const { contentType, body } = await scrape({ proxy: () => proxy.prometheus(), app: appMetrics, place, headers, onProblem: (problem) => log(`a scrape is not whole: ${problem}`) })
  return { status: 200, contentType, body }
}

/** Only for the workload itself. A page in a browser reaches loopback too, by a name of its own. */
function told({ method, socket, headers }: IncomingMessage, act: () => void): Answer {
  if (!isLoopbackAddress(socket.remoteAddress ?? '') || !isLoopbackAuthority(headers.host)) return text(403, 'only requests from loopback are taken')
  if (method !== 'POST') return text(405, 'use POST')
  setImmediate(act) // the answer goes out first
  return { status: 200, body: 'OK' }
}

async function asked({ probers, place }: AgentPortOptions, path: string, request: IncomingMessage): Promise<Answer> {
  const prober = probers.get(path)
  if (prober === undefined) return text(400, `no probe is known for ${path}`)
  if (prober.probe.kind === 'http') return await http(prober.probe, prober.timeoutMs, place, request)
  const problem = await ask(prober.probe, { place, timeoutMs: prober.timeoutMs })
  return problem === undefined ? { status: 200, body: '' } : text(500, problem)
}

/** Those that only mean the connection to us, and the host, which is the application's own. */
const notCopied: ReadonlySet<string> = new Set(['host', 'connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade', 'content-length', 'accept-encoding'])

async function http(probe: Extract<AppProber['probe'], { kind: 'http' }>, timeoutMs: number, place: ProbePlace, { headers }: IncomingMessage): Promise<Answer> {
  const copied = Object.entries(headers).flatMap(([name, value]): [string, string][] => (notCopied.has(name) || typeof value !== 'string' ? [] : [[name, value]]))
  const { status, contentType, body } = await getHttp(probe, { place, timeoutMs }, copied)
  return { status, ...(contentType === '' ? {} : { contentType }), body }
}
