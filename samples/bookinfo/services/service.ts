// What every Bookinfo service does alike, on node:http alone: listen where the environment says, pass trace headers on,
// say who answered and who asked, and misbehave on demand. What a service answers is its own file's business.
import { createServer, request } from 'node:http'
import type { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { misbehave } from './misbehave.ts'

/** Who this instance is. Kubernetes sets HOSTNAME to the Pod's name; `trysail run` does the same with the Process's. */
export const pod = process.env['HOSTNAME'] ?? 'local'
export const version = process.env['SERVICE_VERSION'] ?? 'v1'

export interface Answer {
  readonly status: number
  readonly headers?: OutgoingHttpHeaders
  readonly body: string
}

/** What a handler gets: the parsed URL, the whole body, and the hops that the handler's own calls add. */
export interface Call {
  readonly method: string
  readonly url: URL
  readonly headers: IncomingHttpHeaders
  readonly body: string
  readonly hops: string[]
}

export type Handler = (call: Call) => Promise<Answer | undefined> | Answer | undefined

const maxBodyBytes = 64 * 1024

export const json = (status: number, value: unknown): Answer => ({
  status,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(value),
})

/** Serves until SIGTERM, then lets open requests finish. */
export function serve(handler: Handler): void {
  const server = createServer((incoming, outgoing) => {
    answer(handler, incoming).then(
      ({ answer: { status, headers, body }, hops }) => send(outgoing, status, { ...headers, 'x-bookinfo-trail': hops.join('; ') }, body),
      (error: unknown) => send(outgoing, 500, { 'content-type': 'text/plain' }, String(error)),
    )
  })
  server.keepAliveTimeout = 60_000 // longer than a proxy keeps an idle connection, so that the proxy closes first
  // A Pod, or a Process with a network of its own, is reached at its address; one that shares this machine's is not for others.
  server.listen(Number(process.env['PORT'] ?? 9080), process.env['POD_IP'] === undefined ? '127.0.0.1' : '0.0.0.0')
  process.on('SIGTERM', () => {
    server.close(() => process.exit(0))
    server.closeIdleConnections()
  })
}

async function answer(handler: Handler, incoming: IncomingMessage): Promise<{ answer: Answer; hops: string[] }> {
  const url = new URL(incoming.url ?? '/', 'http://bookinfo')
  const hops: string[] = []
  const body = await readBody(incoming)
  const call: Call = { method: incoming.method ?? 'GET', url, headers: incoming.headers, body, hops }
  const given = url.pathname === '/health' ? json(200, { status: `${pod} is healthy` }) : ((await misbehave(call)) ?? (await handler(call)))
  hops.unshift(`${pod} <- ${callerOf(incoming.headers)}`)
  return { answer: given ?? json(404, { error: `nothing at ${url.pathname}` }), hops }
}

/** The identity that the sidecar proved: the URI of the last element of x-forwarded-client-cert. */
function callerOf(headers: IncomingHttpHeaders): string {
  const all = [headers['x-forwarded-client-cert'] ?? []].flat().join(',')
  return /.*(?:^|[;,])URI=([^;,]+)/s.exec(all)?.[1] ?? 'plaintext'
}

async function readBody(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > maxBodyBytes) throw new Error(`a body of more than ${maxBodyBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function send(outgoing: ServerResponse, status: number, headers: OutgoingHttpHeaders, body: string): void {
  outgoing.writeHead(status, { ...headers, 'x-bookinfo-pod': pod, 'content-length': Buffer.byteLength(body) })
  outgoing.end(body)
}

/** Headers that tie the calls of one request together; the mesh cannot do this for an application. */
const passedOn = [
  'x-request-id', 'x-ot-span-context', 'x-datadog-trace-id', 'x-datadog-parent-id', 'x-datadog-sampling-priority',
  'traceparent', 'tracestate', 'x-cloud-trace-context', 'grpc-trace-bin', 'user-agent', 'cookie', 'authorization', 'jwt',
  'x-b3-traceid', 'x-b3-spanid', 'x-b3-parentspanid', 'x-b3-sampled', 'x-b3-flags', 'b3', 'sw8', 'end-user',
]

/** GET from another service, where Kubernetes' variables say it is: here that is our own sidecar. */
export function get(service: string, path: string, call: Call, extra: OutgoingHttpHeaders = {}, timeoutMs = 10_000): Promise<Answer> {
  const prefix = service.toUpperCase().replaceAll('-', '_')
  const host = process.env[`${prefix}_SERVICE_HOST`] ?? service
  const port = Number(process.env[`${prefix}_SERVICE_PORT`] ?? 9080)
  const kept = Object.fromEntries(passedOn.flatMap((name) => (call.headers[name] === undefined ? [] : [[name, call.headers[name]]])))
  return new Promise((resolve) => {
    const failed = (error: Error) => resolve(json(503, { error: `${service}: ${error.message}` }))
    const outgoing = request({ host, port, path, headers: { ...kept, ...extra }, timeout: timeoutMs }, (response) => {
      readBody(response).then((body) => {
        const trail = response.headers['x-bookinfo-trail']
        call.hops.push(typeof trail === 'string' ? trail : `${service}: ${response.statusCode} from the mesh`)
        resolve({ status: response.statusCode ?? 502, headers: { 'content-type': response.headers['content-type'] }, body })
      }, failed)
    })
    outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer within ${timeoutMs} ms`)))
    outgoing.on('error', failed)
    outgoing.end()
  })
}

/** The body as JSON, or undefined when the call failed or sent something else. */
export function parsed(answer: Answer): unknown {
  if (answer.status !== 200) return undefined
  try {
    return JSON.parse(answer.body)
  } catch (error) {
    console.error(`not JSON: ${String(error)}`)
    return undefined
  }
}
