// The tour's own client: what a browser would send, through the ingress gateway, on kept-alive connections.
import { execFile } from 'node:child_process'
import { Agent, request } from 'node:http'
import { performance } from 'node:perf_hooks'

export interface Reply {
  /** 0 when there was no answer. */
  readonly status: number
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly body: string
  readonly ms: number
  readonly error: string | undefined
}

export interface Client {
  get(path: string, headers?: Readonly<Record<string, string>>): Promise<Reply>
  /** The headers of a browser that this user has logged in with, by the page's own form. */
  login(user: string): Promise<Readonly<Record<string, string>>>
  close(): void
}

export function openClient(base: string): Client {
  const agent = new Agent({ keepAlive: true, maxSockets: 32 })
  const ask = (path: string, headers: Readonly<Record<string, string>> = {}, form?: string): Promise<Reply> => send(agent, new URL(path, base), headers, form)
  return {
    get: (path, headers) => ask(path, headers),
    async login(user) {
      const reply = await ask('/login', { 'content-type': 'application/x-www-form-urlencoded' }, `username=${encodeURIComponent(user)}`)
      const cookie = [reply.headers['set-cookie'] ?? []].flat()[0]?.split(';')[0]
      if (cookie === undefined) throw new Error(`login answered ${reply.status} ${reply.error ?? ''} without a cookie`)
      return { cookie }
    },
    close: () => agent.destroy(),
  }
}

function send(agent: Agent | undefined, url: URL, headers: Readonly<Record<string, string>>, form?: string): Promise<Reply> {
  const began = performance.now()
  return new Promise((resolve) => {
    const done = (reply: Partial<Reply>) =>
      resolve({ status: 0, headers: {}, body: '', error: undefined, ...reply, ms: performance.now() - began })
    const length = form === undefined ? {} : { 'content-length': String(Buffer.byteLength(form)) }
    const outgoing = request(url, { agent, method: form === undefined ? 'GET' : 'POST', headers: { ...headers, ...length }, timeout: 15_000 }, (incoming) => {
      const chunks: Buffer[] = []
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
      incoming.on('error', (error) => done({ error: error.message }))
      incoming.on('end', () => done({ status: incoming.statusCode ?? 0, headers: incoming.headers, body: Buffer.concat(chunks).toString() }))
    })
    outgoing.on('timeout', () => outgoing.destroy(new Error('no answer within 15 s')))
    outgoing.on('error', (error) => done({ error: error.message }))
    outgoing.end(form)
  })
}

/**
 * One request on a connection of its own, to any address: for knocking at a port that should refuse. Where processes have
 * networks of their own, `entering` is what leads a command there: another node asks then.
 */
export function knock(url: string, entering: readonly string[]): Promise<Reply> {
  const [program, ...enter] = entering
  if (program === undefined) return send(undefined, new URL(url), { connection: 'close' })
  const began = performance.now()
  return new Promise((resolve) => {
    execFile(program, [...enter, '--', process.execPath, '-e', knocker, url], { timeout: 20_000 }, (failure, stdout) => {
      const answer = failure === null ? (JSON.parse(stdout) as Pick<Reply, 'status' | 'error'>) : { status: 0, error: failure.message }
      resolve({ headers: {}, body: '', ...answer, ms: performance.now() - began })
    })
  })
}

/** Prints what came of it. */
const knocker = `
const say = (answer) => { console.log(JSON.stringify(answer)); process.exit(0) }
require('node:http').get(process.argv[1], { agent: false, timeout: 15000 }, ({ statusCode }) => say({ status: statusCode }))
  .on('error', ({ message }) => say({ status: 0, error: message }))`

/** Which version of reviews answered; the status where none did. */
export function reviewsVersion(reply: Reply): string {
  if (reply.status !== 200) return reply.error ?? String(reply.status)
  const body: unknown = JSON.parse(reply.body)
  return typeof body === 'object' && body !== null && 'version' in body ? String(body.version) : '?'
}
