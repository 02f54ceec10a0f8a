// What lives long, over a gateway and a sidecar: WebSockets of HTTP/1.1 and HTTP/2, server-sent events, long polls. Changes of the
// configuration that are none of their business do not touch them, and when a proxy ends they are closed, not reset.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, get } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { connect } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { test } from 'node:test'
import { freePort } from '../support/hosts.ts'
import { Http2Client } from '../support/http2-peers.ts'
import { request } from '../support/http-load.ts'
import { ProcessMesh } from '../support/process-mesh.ts'
import { until } from '../support/until.ts'
import { agreeToWebSocket } from '../support/websocket-echo.ts'

const webSockets = 500
/** Of one HTTP/2 connection, as those of gRPC that last. */
const streamsOfOne = 100
const others = 20
const edits = 100

/** One more resource that has nothing to do with the open connections; every edit makes one of them anew, and takes the one before away. */
const unrelated: readonly ((i: number, freePort: number) => string)[] = [
  // Listeners of both proxies change: a chain of the sidecar's inbound side, a port and a host of the gateway.
  (i) => `{ apiVersion: v1, kind: Service, metadata: { name: same${i}, namespace: default }, spec: { clusterIP: 10.96.2.${i}, selector: { app: reviews }, ports: [{ name: tcp, port: ${9300 + i}, targetPort: ${9300 + i} }] } }`,
  (_, port) => `{ apiVersion: networking.istio.io/v1, kind: Gateway, metadata: { name: other, namespace: default }, spec: { selector: { app: ingress }, servers: [{ port: { number: ${port}, name: http-other, protocol: HTTP }, hosts: ["other.example"] }] } }`,
  (i) => `{ apiVersion: networking.istio.io/v1, kind: Gateway, metadata: { name: other, namespace: default }, spec: { selector: { app: ingress }, servers: [{ port: { number: 80, name: http-other, protocol: HTTP }, hosts: ["other${i}.example"] }] } }`,
  (i) => `{ apiVersion: networking.istio.io/v1, kind: ServiceEntry, metadata: { name: other }, spec: { hosts: [other${i}.example], location: MESH_EXTERNAL, resolution: STATIC, ports: [{ number: ${9100 + i}, name: tcp, protocol: TCP }], endpoints: [{ address: 127.0.0.1 }] } }`,
  (i) => `{ apiVersion: v1, kind: Service, metadata: { name: more${i}, namespace: default }, spec: { clusterIP: 10.96.1.${i}, selector: { app: nobody }, ports: [{ name: http, port: 9080 }] } }`,
  (i) => `{ apiVersion: networking.istio.io/v1, kind: DestinationRule, metadata: { name: more, namespace: default }, spec: { host: other.example, trafficPolicy: { connectionPool: { tcp: { maxConnections: ${i + 1} } } } } }`,
  (i) => `{ apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: { name: other, namespace: default }, spec: { selector: { matchLabels: { app: nobody } }, rules: [{ from: [{ source: { namespaces: [n${i}] } }] }] } }`,
  (i) => `{ apiVersion: networking.istio.io/v1, kind: WorkloadEntry, metadata: { name: other, namespace: default }, spec: { address: 127.99.0.${i + 1}, labels: { app: nobody } } }`,
  (i) => `{ apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: { name: other, namespace: default }, spec: { hosts: [other.example], gateways: [ingress], http: [{ timeout: ${i + 1}s, route: [{ destination: { host: reviews } }] }] } }`,
]

/** By its answers it is seen which configuration the gateway has. */
const probe = (generation: number, port: number): string => `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: probe, namespace: default }
spec: { hosts: [probe.example], gateways: [ingress], http: [{ route: [{ destination: { host: reviews } }], headers: { response: { set: { x-generation: "${generation}" } } } }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ingress, namespace: default }
spec: { hosts: ['*'], gateways: [ingress], http: [{ timeout: 0s, route: [{ destination: { host: reviews } }] }] }
---
${unrelated[generation % unrelated.length]!(generation, port)}
`

/** Agrees to WebSockets and echoes; sends events and answers polls when it is told to. */
async function startServer() {
  const waiting: ServerResponse[] = []
  const answer = (incoming: IncomingMessage, response: ServerResponse): void => {
    if (incoming.url === '/') return void response.end('ok')
    if (incoming.url === '/events') response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: first\n\n')
    waiting.push(response)
  }
  const sockets = new Set<Socket>()
  const server = createServer(answer).listen(0, '127.0.0.1')
  server.on('connection', (socket: Socket) => sockets.add(socket))
  server.on('upgrade', (incoming, socket: Socket) => agreeToWebSocket(incoming.headers['sec-websocket-key'] ?? '', socket))
  await once(server, 'listening')
  return {
    at: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    waiting,
    /** Events to all who listen for them, an answer to all who poll. */
    tell(text: string): void {
      for (const response of waiting) if (response.headersSent) response.write(`data: ${text}\n\n`)
      else response.end(text)
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const frame = (text: string): Buffer => Buffer.concat([Buffer.from([0x81, 0x80 + text.length, 0, 0, 0, 0]), Buffer.from(text)])
const asksForChat = 'GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n'

/** A WebSocket, by its bytes: how it ends is what counts. */
class Chat {
  heard = ''
  end: 'open' | 'closed' | 'reset' = 'open'
  readonly #socket: Socket

  constructor(port: number) {
    this.#socket = connect(port, '127.0.0.1', () => this.#socket.write(asksForChat))
    this.#socket.setEncoding('latin1').on('data', (text: string) => (this.heard += text))
    this.#socket.on('end', () => (this.end = 'closed'))
    this.#socket.on('error', () => (this.end = 'reset'))
  }

  say(text: string): void {
    this.heard = ''
    this.#socket.write(frame(text))
  }

  leave(): void {
    this.#socket.destroy()
  }
}

interface Listening {
  readonly response: IncomingMessage
  heard: string
  over: boolean
}

/** Of an answer without end. */
async function listenTo(url: string): Promise<Listening> {
  const [response] = (await once(get(url, { agent: false }), 'response')) as [IncomingMessage]
  const one: Listening = { response, heard: '', over: false }
  response.setEncoding('utf8').on('data', (text: string) => (one.heard += text))
  response.on('close', () => (one.over = true))
  response.on('error', () => (one.over = true))
  return one
}

test(`${webSockets} WebSockets, and events and polls, live through ${edits} unrelated changes, and end with a close`, { timeout: 180_000 }, async () => {
  await using server = await startServer()
  const otherPort = await freePort()
  await using mesh = await ProcessMesh.create()
  mesh.edit('mesh.yaml', (text) => text.slice(0, text.lastIndexOf('---')))
  mesh.write('probe.yaml', probe(0, otherPort))
  await mesh.startControl()
  const reviews = await mesh.startReviews(server.at)
  await reviews.saying(/info +serves;/, 0, 60_000)
  const { proxy: gateway, url } = await mesh.startGateway({ flags: ['--concurrency', '2', '--termination-drain-duration', '1s'] })
  const port = Number(new URL(url).port)
  await until(async () => (await request(url)).status === 200, 'the gateway serves')

  const chats = Array.from({ length: webSockets }, () => new Chat(port))
  await until(() => chats.every(({ heard }) => heard.includes('\r\n\r\n')), 'all WebSockets are open')
  assert.deepEqual(chats.filter(({ heard }) => !heard.startsWith('HTTP/1.1 101 ')).map(({ heard }) => heard), [])
  await using http2 = await Http2Client.connect({ host: '127.0.0.1', port })
  const said: string[] = []
  http2.session.on('goaway', (code) => said.push(`GOAWAY ${code}`))
  http2.session.on('error', (error: Error) => said.push(String(error)))
  if (!http2.session.remoteSettings.enableConnectProtocol) await once(http2.session, 'remoteSettings')
  const streams = Array.from({ length: streamsOfOne }, () => {
    const stream = http2.session.request({ ':method': 'CONNECT', ':protocol': 'websocket', ':path': '/chat', ':scheme': 'http', ':authority': 'a', 'sec-websocket-version': '13' })
    const one = { stream, heard: '', closed: false }
    stream.on('data', (bytes: Buffer) => (one.heard += bytes.toString('latin1')))
    stream.on('close', () => (one.closed = true))
    stream.on('error', () => {})
    return one
  })
  const events = await Promise.all(Array.from({ length: others }, () => listenTo(`${url}events`)))
  const polls = Array.from({ length: others }, () => request(`${url}poll`, undefined, 120_000))
  await until(() => server.waiting.length === 2 * others, 'all polls are with the server')

  for (let i = 1; i <= edits; i++) {
    mesh.write('probe.yaml', probe(i, otherPort))
    await until(async () => (await generationOf(port)) === String(i), `change ${i} is in force`)
  }

  const sides = [...chats.map(({ end }) => end), ...streams.map(({ closed }) => (closed ? 'closed' : 'open')), ...events.map(({ over }) => (over ? 'closed' : 'open'))]
  assert.deepEqual(new Set(sides), new Set(['open']), 'nothing was closed')
  for (const chat of chats) chat.say('still here')
  for (const { stream } of streams) stream.write(frame('still here'))
  server.tell('at last')
  await until(() => [...chats, ...streams].every(({ heard }) => heard.endsWith('still here')) && events.every(({ heard }) => heard.endsWith('data: at last\n\n')), 'everybody is heard')
  assert.deepEqual(new Set((await Promise.all(polls)).map(({ status, body }) => `${status} ${body}`)), new Set(['200 at last']))

  gateway.signal('SIGTERM')
  assert.equal(await gateway.exited, 0)
  await until(() => chats.every(({ end }) => end !== 'open') && streams.every(({ closed }) => closed), 'everything has ended')
  assert.deepEqual(new Set(chats.map(({ end }) => end)), new Set(['closed']), 'closed, not reset')
  assert.deepEqual(new Set(said), new Set(['GOAWAY 0']))
  for (const chat of chats) chat.leave()
})

/** Which configuration the gateway has. */
async function generationOf(port: number): Promise<string> {
  const sent = get({ host: '127.0.0.1', port, path: '/', headers: { host: 'probe.example' }, agent: false })
  const [response] = (await once(sent, 'response')) as [IncomingMessage]
  response.resume()
  return String(response.headers['x-generation'])
}
