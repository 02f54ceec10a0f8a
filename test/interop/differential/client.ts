// The client of both proxies: node's own HTTP client, curl, or exact bytes, over a connection that goes where the case says.
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { Agent, request } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { connect as connectHttp2, constants } from 'node:http2'
import type { ClientHttp2Session, IncomingHttpHeaders } from 'node:http2'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { TestCertificate } from '../../support/certificates.ts'
import type { Ask } from './case.ts'

/** How to reach a proxy as if a connection to some address had been captured. */
export interface Door {
  readonly host: string
  readonly port: number
  /** The line of the PROXY protocol that says where the connection was going, by the client's port; empty for none. */
  readonly preface: (ownPort: number) => string
  /** Files of a certificate of the mesh that curl may show, as `$cert` and `$key`. */
  readonly shown: { readonly cert: string; readonly key: string }
  /** One for an identity, the same on both sides. */
  readonly certificate: (identity: string) => TestCertificate
}

export interface Reply {
  readonly status: number
  readonly headers: readonly (readonly [string, string])[]
  readonly trailers: readonly (readonly [string, string])[]
  readonly body: string
  /** What went wrong after the head, if anything. */
  readonly error: string
  /** 1xx that came before. */
  readonly informational: readonly number[]
  readonly clientPort: number
  readonly ms: number
}

const patienceMs = 8000
/** Of a connection with exact bytes: silent for so long, it has said all. */
const silenceMs = 400
/** Of one that was announced to close: Envoy leaves the client a second to do so itself. */
const closingMs = 2000

interface Opened {
  readonly socket: Socket
  /** The client's, by which the access log is read. */
  readonly clientPort: number
  /** Accepted, and cut off at once. */
  readonly refused: boolean
}

/** Below those that the system gives away: each connection has one of its own. */
const firstPort = 12_000
const lastPort = 32_000
let nextPort = firstPort + (process.pid * 97) % (lastPort - firstPort)

async function open({ host, port, preface }: Door): Promise<Opened> {
  for (;;) {
    nextPort = nextPort >= lastPort ? firstPort : nextPort + 1
    const clientPort = nextPort
    const socket = connect({ host, port, localAddress: '127.0.0.1', localPort: clientPort, noDelay: true })
    try {
      await once(socket, 'connect')
    } catch (error) {
      if (isCode(error, 'EADDRINUSE') || isCode(error, 'EADDRNOTAVAIL')) continue
      if (isCode(error, 'ECONNRESET')) return { socket, clientPort, refused: true }
      throw error
    }
    const line = preface(clientPort)
    if (line !== '') socket.write(line)
    return { socket, clientPort, refused: false }
  }
}

const isCode = (error: unknown, code: string): boolean => error instanceof Error && 'code' in error && error.code === code

export async function ask(door: Door, authority: string, one: Ask): Promise<Reply> {
  const started = performance.now()
  if (one.curl !== undefined) return await askCurl(door, authority, one, started)
  const opened = await open(door)
  const { clientPort } = opened
  const socket = opened.refused || one.mutual === undefined ? opened.socket : await mutually(opened.socket, one.mutual, door, one.http2 === true)
  if (opened.refused || socket === undefined) return { status: 0, headers: [], trailers: [], body: '', error: 'ended', informational: [], clientPort, ms: performance.now() - started }
  try {
    if (one.http2 === true) return await askHttp2(socket, authority, one, started)
    return one.raw === undefined ? await askHttp(socket, authority, one, started) : await askRaw(socket, one.raw.replaceAll('$host', authority), started)
  } finally {
    socket.destroy()
  }
}

/** As a sidecar of that identity would come. Undefined: refused. */
async function mutually(socket: Socket, { identity, serverName }: NonNullable<Ask['mutual']>, door: Door, http2: boolean): Promise<Socket | undefined> {
  const { chain, key } = door.certificate(identity)
  const secure = connectTls({ socket, cert: chain, key, rejectUnauthorized: false, ALPNProtocols: http2 ? ['istio-h2', 'istio', 'h2'] : ['istio-http/1.1', 'istio', 'http/1.1'], ...(serverName === undefined ? {} : { servername: serverName }) })
  try {
    await once(secure, 'secureConnect')
    return secure
  } catch {
    return undefined
  }
}

/** Many requests over a few connections: only who got them matters. */
export async function askMany(door: Door, authority: string, one: Ask, times: number): Promise<Map<number, number>> {
  const statuses = new Map<number, number>()
  let left = times
  const worker = async (): Promise<void> => {
    const { socket } = await open(door)
    const agent = agentOn(socket)
    const session = one.http2 === true ? sessionOn(socket) : undefined
    while (left-- > 0) {
      const { status } = await (session === undefined ? send(agent, socket, authority, one, performance.now()) : sendHttp2(session, socket, authority, one, performance.now()))
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
    }
    session?.destroy()
    agent.destroy()
  }
  await Promise.all(Array.from({ length: 4 }, worker))
  return statuses
}

function agentOn(socket: Socket): Agent {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  agent.createConnection = () => socket
  return agent
}

async function askHttp(socket: Socket, authority: string, one: Ask, started: number): Promise<Reply> {
  const agent = agentOn(socket)
  const reply = await send(agent, socket, authority, one, started)
  agent.destroy()
  return reply
}

function send(agent: Agent, socket: Socket, authority: string, one: Ask, started: number): Promise<Reply> {
  const { method = 'GET', path = '/', headers = {}, body, chunked = false, trailers = {}, leaveMs } = one
  const clientPort = socket.localPort ?? 0
  const length = chunked || body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
  const framing = chunked ? { 'transfer-encoding': 'chunked' } : length
  const announced = Object.keys(trailers).length > 0 ? { trailer: Object.keys(trailers).join(', ') } : {}
  const informational: number[] = []
  return new Promise((resolve) => {
    const none = (error: Error): void => resolve({ status: 0, headers: [], trailers: [], body: '', error: codeOf(error), informational, clientPort, ms: performance.now() - started })
    const sent = request({ agent, method, path, headers: { host: authority, ...framing, ...announced, ...flat(headers) }, timeout: patienceMs, maxHeaderSize: 200_000 })
    sent.on('information', ({ statusCode }) => informational.push(statusCode))
    sent.on('timeout', () => sent.destroy(new Error('the client waited in vain')))
    sent.on('error', none)
    sent.on('upgrade', (incoming: IncomingMessage) => resolve({ status: incoming.statusCode ?? 0, headers: pairs(incoming.rawHeaders), trailers: [], body: '', error: '', informational, clientPort, ms: performance.now() - started }))
    sent.on('response', (incoming) => void read(incoming).then(({ text, error }) =>
      resolve({ status: incoming.statusCode ?? 0, headers: pairs(incoming.rawHeaders), trailers: pairs(incoming.rawTrailers), body: text, error, informational, clientPort, ms: performance.now() - started })))
    if (leaveMs !== undefined) setTimeout(() => sent.destroy(new Error('the client left')), leaveMs)
    sent.flushHeaders()
    if (body !== undefined) sent.write(body)
    if (Object.keys(trailers).length > 0) sent.addTrailers(trailers)
    sent.end()
  })
}

/** A stream on a connection of its own. */
async function askHttp2(socket: Socket, authority: string, one: Ask, started: number): Promise<Reply> {
  const session = sessionOn(socket)
  // Asked for only of who has said that it knows it (RFC 8441 3); or else node would not ask.
  if (one.headers?.[':protocol'] !== undefined) await once(session, 'remoteSettings')
  const reply = await sendHttp2(session, socket, authority, one, started)
  session.destroy()
  return reply
}

function sessionOn(socket: Socket): ClientHttp2Session {
  return connectHttp2('http://differential.test', { createConnection: () => socket }).on('error', () => undefined)
}

function sendHttp2(session: ClientHttp2Session, socket: Socket, authority: string, one: Ask, started: number): Promise<Reply> {
  const { method = 'GET', path = '/', headers = {}, body, chunked = false, trailers = {}, leaveMs } = one
  const length = chunked || body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
  const hasTrailers = Object.keys(trailers).length > 0
  const tunnel = method === 'CONNECT' && headers[':protocol'] === undefined
  const stream = session.request({ ':method': method, ...(tunnel ? {} : { ':scheme': 'http', ':path': path }), ':authority': authority, ...(method === 'CONNECT' ? {} : length), ...flat(headers) }, { endStream: body === undefined && !hasTrailers, waitForTrailers: hasTrailers })
  let head: IncomingHttpHeaders = {}
  let last: IncomingHttpHeaders = {}
  let text = ''
  const informational: number[] = []
  const clientPort = socket.localPort ?? 0
  const timer = setTimeout(() => stream.close(constants.NGHTTP2_CANCEL), leaveMs ?? patienceMs)
  stream.setEncoding('utf8').on('data', (piece: string) => (text += piece))
  stream.on('headers', (got) => informational.push(Number(got[':status'])))
  stream.on('response', (got) => (head = got))
  stream.on('trailers', (got) => (last = got))
  stream.on('error', () => undefined)
  stream.on('wantTrailers', () => stream.sendTrailers(trailers))
  if (body !== undefined || hasTrailers) stream.end(body)
  return new Promise((resolve) => {
    stream.once('close', () => {
      clearTimeout(timer)
      const status = Number(head[':status'] ?? 0)
      resolve({ status, headers: fieldsOf(head), trailers: fieldsOf(last), body: text, error: status === 0 || (stream.rstCode ?? 0) > 0 ? 'ended' : '', informational, clientPort, ms: performance.now() - started })
    })
  })
}

function fieldsOf(headers: IncomingHttpHeaders): readonly (readonly [string, string])[] {
  return Object.entries(headers).flatMap(([name, value]) => (name.startsWith(':') || value === undefined ? [] : [value].flat().map((one) => [name, one] as const)))
}

async function read(incoming: IncomingMessage): Promise<{ text: string; error: string }> {
  let text = ''
  try {
    for await (const chunk of incoming) text += String(chunk)
    return { text, error: '' }
  } catch (error) {
    return { text, error: codeOf(error) }
  }
}

/** All bytes that come, split at the heads; the status is the first one's. */
function askRaw(socket: Socket, bytes: string, started: number): Promise<Reply> {
  return new Promise((resolve) => {
    let text = ''
    const clientPort = socket.localPort ?? 0
    let timer = setTimeout(() => finish('open'), patienceMs / 4)
    const finish = (end: string): void => {
      clearTimeout(timer)
      const [head = '', ...rest] = text.split('\r\n\r\n')
      const [line = '', ...fields] = head.split('\r\n')
      resolve({
        status: Number(line.split(' ')[1] ?? 0), body: rest.join('\r\n\r\n'), trailers: [], error: end, informational: [], clientPort,
        headers: fields.map((field) => [field.slice(0, field.indexOf(':')), field.slice(field.indexOf(':') + 1).trim()] as const),
        ms: performance.now() - started,
      })
    }
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1')
      clearTimeout(timer)
      timer = setTimeout(() => finish('open'), /\r\nconnection: close\r\n/i.test(text) ? closingMs : silenceMs)
    })
    socket.on('error', () => finish('ended'))
    socket.on('close', () => finish('ended'))
    socket.write(bytes, 'latin1')
  })
}

function askCurl({ host, port, shown }: Door, authority: string, one: Ask, started: number): Promise<Reply> {
  const { method, path = '/', headers = {}, body, curl = [] } = one
  const fields = Object.entries(headers).flatMap(([name, value]) => [value].flat().flatMap((text) => ['-H', `${name}: ${text}`]))
  const parameters = [
    '-sS', '-i', '--path-as-is', '--max-time', String(patienceMs / 1000), '-w', '\n%{local_port}',
    ...(method === undefined ? [] : method === 'HEAD' ? ['-I'] : ['-X', method]),
    ...(body === undefined ? [] : ['--data-binary', body]), ...fields, '-H', `host: ${authority}`, ...curl.map((text) => text.replaceAll('$at', `${host}:${port}`).replace('$cert', shown.cert).replace('$key', shown.key)),
    ...(curl.some((text) => text.includes('://')) ? [] : [`http://${host}:${port}${path}`]),
  ]
  return new Promise((resolve) => {
    execFile('curl', parameters, (error, stdout) => {
      const cut = stdout.lastIndexOf('\n')
      const parts = stdout.slice(0, cut).split('\r\n\r\n')
      const heads = parts.findIndex((part, at) => !/^HTTP\/[\d.]+ 1\d\d/.test(part) || at === parts.length - 1)
      const [line = '', ...fields] = (parts[heads] ?? '').split('\r\n')
      resolve({
        status: Number(line.split(' ')[1] ?? 0), body: parts.slice(heads + 1).join('\r\n\r\n'), trailers: [], clientPort: Number(stdout.slice(cut + 1)),
        headers: fields.map((field) => [field.slice(0, field.indexOf(':')), field.slice(field.indexOf(':') + 1).trim()] as const),
        error: error === null ? '' : `curl ${error.code}`, informational: parts.slice(0, heads).map((part) => Number(part.split(' ')[1])), ms: performance.now() - started,
      })
    })
  })
}

const flat = (headers: Readonly<Record<string, string | readonly string[]>>): Record<string, string | string[]> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, typeof value === 'string' ? value : [...value]]))

/** Both ends word it their own way: that it ended is what counts. */
const codeOf = (error: unknown): string => (error instanceof Error && error.message === 'the client waited in vain' ? error.message : 'ended')

function pairs(raw: readonly string[]): readonly (readonly [string, string])[] {
  return raw.flatMap((name, at) => (at % 2 === 0 ? [[name, raw[at + 1]!] as const] : []))
}
