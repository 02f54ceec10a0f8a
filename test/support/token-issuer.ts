// An issuer of tokens on a real socket: its keys, its OpenID configuration, and every way to be of no use.
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { ServerOptions } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'

type Handler = (request: IncomingMessage, response: ServerResponse) => void

export class TokenIssuer implements AsyncDisposable {
  /** The document at `/keys`. */
  keys: string
  headers: Readonly<Record<string, string>> = {}
  /** Instead of all that. */
  behaves: Handler | undefined
  /** Paths, in order. */
  readonly asked: string[] = []
  readonly #server: Server
  readonly #scheme: string
  readonly #sockets = new Set<Socket>()
  #port = 0

  private constructor(keys: string, tls: ServerOptions | undefined) {
    this.keys = keys
    const handle: Handler = (request, response) => this.#handle(request, response)
    this.#scheme = tls === undefined ? 'http' : 'https'
    this.#server = tls === undefined ? createServer(handle) : createTlsServer(tls, handle)
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
      socket.on('error', () => socket.destroy())
    })
  }

  static async start(keys: string, { port = 0, tls }: { readonly port?: number; readonly tls?: ServerOptions } = {}): Promise<TokenIssuer> {
    const issuer = new TokenIssuer(keys, tls)
    await once(issuer.#server.listen(port, '127.0.0.1'), 'listening')
    issuer.#port = (issuer.#server.address() as AddressInfo).port
    return issuer
  }

  get port(): number {
    return this.#port
  }

  /** Its name in tokens. */
  get issuer(): string {
    return `${this.#scheme}://localhost:${this.#port}`
  }

  get keysUrl(): string {
    return `${this.issuer}/keys`
  }

  #handle(request: IncomingMessage, response: ServerResponse): void {
    this.asked.push(request.url ?? '')
    if (this.behaves !== undefined) return this.behaves(request, response)
    const answer = (body: string): void => void response.writeHead(200, { 'content-type': 'application/json', ...this.headers }).end(body)
    if (request.url === '/keys') return answer(this.keys)
    if (request.url === '/.well-known/openid-configuration') return answer(JSON.stringify({ issuer: this.issuer, jwks_uri: this.keysUrl }))
    response.writeHead(404).end()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    if (!this.#server.listening) return
    this.#server.close()
    await once(this.#server, 'close')
  }
}
