// A WebSocket server that says everything back, as much of RFC 6455 as short messages of a well-behaved client need.
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Address } from '../../src/model/address.ts'

const magic = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
const closing = 8

export class WebSocketEcho implements AsyncDisposable {
  readonly #server = createServer((_request, response) => void response.writeHead(426).end())
  readonly #sockets = new Set<Socket>()

  static async start(port = 0): Promise<WebSocketEcho> {
    const echo = new WebSocketEcho()
    echo.#server.on('connection', (socket: Socket) => echo.#sockets.add(socket))
    echo.#server.on('upgrade', (request, socket: Socket) => agreeToWebSocket(request.headers['sec-websocket-key'] ?? '', socket))
    await once(echo.#server.listen(port, '127.0.0.1'), 'listening')
    return echo
  }

  get address(): Address {
    return { host: '127.0.0.1', port: (this.#server.address() as AddressInfo).port }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}

/** Agrees, and says everything back from now on. */
export function agreeToWebSocket(key: string, socket: Socket): void {
  const accept = createHash('sha1').update(key + magic).digest('base64')
  socket.on('error', () => socket.destroy())
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`)
  let rest: Buffer = Buffer.alloc(0)
  socket.on('data', (bytes: Buffer) => {
    rest = Buffer.concat([rest, bytes])
    for (let end = endOfFrame(rest); end > 0 && rest.length >= end; end = endOfFrame(rest)) {
      sayBack(rest.subarray(0, end), socket)
      rest = rest.subarray(end)
    }
  })
}

/** Of a masked frame of at most 125 bytes; 0 while its head is not there. */
const endOfFrame = (bytes: Buffer): number => (bytes.length < 2 ? 0 : 6 + (bytes[1]! & 0x7f))

function sayBack(frame: Buffer, socket: Socket): void {
  const mask = frame.subarray(2, 6)
  const data = Buffer.from(frame.subarray(6).map((byte, at) => byte ^ mask[at % 4]!))
  socket.write(Buffer.concat([Buffer.from([frame[0]!, data.length]), data]))
  if ((frame[0]! & 0x0f) === closing) socket.end()
}
