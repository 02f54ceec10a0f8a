// The admin server: HTTP on loopback for people and tools, with Envoy's paths. Each path is one row of a table; what a
// row answers is in a file of its own.
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { describe, MeshError, spawn } from '../../lib/errors.ts'
import { formatAddress } from '../../model/address.ts'
import type { Address } from '../../model/address.ts'
import { listenError } from '../../net/listen-error.ts'
import { isLoopbackAuthority } from '../../net/loopback.ts'
import { createServer } from '../../net/node-http.ts'
import { handleOf } from '../../net/socket-options.ts'

export interface AdminRequest {
  readonly path: string
  readonly query: URLSearchParams
}

export interface AdminResponse {
  readonly status: number
  readonly type: 'text/plain' | 'application/json'
  readonly body: string
}

export interface AdminPath {
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly sentence: string
  answer(request: AdminRequest): AdminResponse | Promise<AdminResponse>
}

export const plainText = (body: string, status = 200): AdminResponse => ({ status, type: 'text/plain', body })

export const json = (value: unknown): AdminResponse => ({
  status: 200,
  type: 'application/json',
  body: `${JSON.stringify(value, undefined, 1)}\n`,
})

/** A port of loopback, or a socket of the process before this one that listens there. */
export type AdminPlace = number | { readonly handle: object }

export interface AdminServer {
  readonly port: number
  /** Of its socket, while it listens. */
  readonly handle: object | undefined
  close(): Promise<void>
}

/** A few tools at a time are enough; more would only be a way to slow the proxy down. */
const maxConnections = 64

/** `POST /drain_listeners`, before it is done. */
export type OnAdminAction = (action: string, from: Address) => void

/** Only ever on loopback: who can reach it can end the proxy. Rejects with `proxy/admin` when the port is not to be had. */
export async function startAdmin(on: AdminPlace, paths: readonly AdminPath[], onAction: OnAdminAction = () => {}): Promise<AdminServer> {
  const table = withHelp(paths)
  const server = createServer((request, response) => spawn('answering an admin request', answer({ table, onAction }, request, response)))
  server.maxConnections = maxConnections
  await listening(server, on)
  server.unref()
  const bound = server.address()
  return {
    port: typeof bound === 'object' && bound !== null ? bound.port : 0,
    get handle() { return handleOf(server) },
    close: () => new Promise((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    }),
  }
}

function listening(server: Server, on: AdminPlace): Promise<void> {
  return new Promise((resolve, reject) => {
    const at = { host: '127.0.0.1', port: typeof on === 'number' ? on : 0 }
    server.once('error', (cause) => reject(new MeshError('proxy/admin', `the admin server (adminPort) cannot listen on ${formatAddress(at)}`, listenError(at, cause))))
    if (typeof on === 'number') server.listen(at, resolve)
    else server.listen(on.handle, resolve)
  })
}

function withHelp(paths: readonly AdminPath[]): readonly AdminPath[] {
  const help: AdminPath = { method: 'GET', path: '/help', sentence: 'this list', answer: () => plainText(listOf([...paths, help])) }
  const home: AdminPath = { ...help, path: '/' }
  return [...paths, help, home]
}

function listOf(paths: readonly AdminPath[]): string {
  const lines = paths.map(({ method, path, sentence }) => `  ${path}${method === 'POST' ? ' (POST)' : ''}: ${sentence}\n`)
  return `admin commands are:\n${lines.sort().join('')}`
}

interface Answering {
  readonly table: readonly AdminPath[]
  readonly onAction: OnAdminAction
}

async function answer(answering: Answering, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { status, type, body } = await resolve(answering, request)
  response.writeHead(status, {
    'content-type': type === 'text/plain' ? 'text/plain; charset=UTF-8' : type,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-cache, max-age=0',
    'x-content-type-options': 'nosniff',
    ...(status === 405 ? { allow: 'POST' } : {}),
  })
  response.end(request.method === 'HEAD' ? undefined : body)
}

async function resolve({ table: paths, onAction }: Answering, { url = '/', method = 'GET', headers, socket }: IncomingMessage): Promise<AdminResponse> {
  // A page in a browser can reach loopback by a name of its own: only loopback's own names are served.
  if (!isLoopbackAuthority(headers.host)) return plainText('this server is for loopback\n', 403)
  const { pathname, searchParams } = new URL(url, 'http://admin')
  const row = paths.find(({ path }) => path === pathname)
  if (row === undefined) return plainText(`invalid path. ${listOf(paths)}`, 404)
  const asked = method === 'HEAD' ? 'GET' : method
  if (asked !== row.method) return plainText(`Method Not Allowed: use ${row.method}\n`, 405)
  if (row.method === 'POST') onAction(`POST ${url}`, { host: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 })
  try {
    return await row.answer({ path: pathname, query: searchParams })
  } catch (error) {
    return plainText(`${describe(error)}\n`, 500)
  }
}
