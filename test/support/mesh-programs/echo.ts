// A program of a test mesh: says who it is and what it was sent, and asks others when it is told to, by the doors that its
// environment names.
import { createServer, request } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'

const env = process.env
const me = { name: env['POD_NAME'], version: env['VERSION'] ?? '', pid: process.pid }

type Answer = (url: URL, incoming: IncomingMessage, response: ServerResponse) => void | Promise<void>

const answers: Record<string, Answer> = {
  '/env': (url, _, response) => json(response, Object.fromEntries(url.searchParams.keys().map((name) => [name, env[name] ?? null]))),
  /** `/via?service=REVIEWS&path=/x`: by REVIEWS_SERVICE_HOST and REVIEWS_SERVICE_PORT. */
  '/via': async (url, _, response) => {
    const name = url.searchParams.get('service') ?? ''
    json(response, await ask({ host: env[`${name}_SERVICE_HOST`], port: env[`${name}_SERVICE_PORT`], path: url.searchParams.get('path') ?? '/' }))
  },
  /** `/proxied?url=http://...`: by HTTP_PROXY, in absolute form. */
  '/proxied': async (url, _, response) => {
    const proxy = new URL(env['HTTP_PROXY'] ?? 'http://no-proxy.test')
    const target = url.searchParams.get('url') ?? ''
    json(response, await ask({ host: proxy.hostname, port: proxy.port, path: target, headers: { host: new URL(target).host } }))
  },
  '/slow': async (url, _, response) => {
    await new Promise((resolve) => setTimeout(resolve, Number(url.searchParams.get('ms'))))
    json(response, me)
  },
  /** How many bytes came. */
  '/count': async (_, incoming, response) => {
    let bytes = 0
    for await (const chunk of incoming) bytes += (chunk as Buffer).length
    json(response, { ...me, bytes })
  },
  /** Sends its body on to BACK as it comes, and the answer back. */
  '/relay': (_, incoming, response) => {
    const { BACK_SERVICE_HOST: host, BACK_SERVICE_PORT: port } = env
    const failed = (error: Error): void => void response.destroy(error)
    const onward = request({ host, port, path: '/count', method: 'POST', agent: false }, (answer) => answer.pipe(response.writeHead(answer.statusCode ?? 500)))
    incoming.on('error', failed).pipe(onward.on('error', failed))
  },
  /** The address that the connection came from. */
  '/source': (_, incoming, response) => json(response, { ...me, source: incoming.socket.remoteAddress }),
  '/exit': (_, __, response) => {
    json(response, me)
    response.on('close', () => process.exit(1))
  },
}

function json(response: ServerResponse, value: unknown): void {
  response.setHeader('content-type', 'application/json').end(JSON.stringify(value))
}

function ask(to: { readonly host: string | undefined; readonly port: string | undefined; readonly path: string; readonly headers?: Record<string, string> }) {
  return new Promise<{ status: number; body: string }>((resolve) => {
    const { host = 'no-door.test', port = '0' } = to
    const failed = (error: unknown): void => resolve({ status: 0, body: String(error) })
    request({ ...to, host, port, agent: false, timeout: 10_000 }, (incoming) => {
      text(incoming).then((body) => resolve({ status: incoming.statusCode ?? 0, body }), failed)
    }).on('error', failed).end()
  })
}

createServer((incoming, response) => {
  const url = new URL(incoming.url ?? '/', 'http://me')
  const answer = answers[url.pathname] ?? ((_url, { headers, url: path }, to) => json(to, { ...me, path, headers }))
  Promise.resolve(answer(url, incoming, response)).catch((error: unknown) => response.writeHead(500).end(String(error)))
}).listen(Number(env['PORT'] ?? 0), env['POD_IP'] === undefined ? '127.0.0.1' : '0.0.0.0') // with an address of its own it is reached there
process.on('SIGTERM', () => process.exit(0))
