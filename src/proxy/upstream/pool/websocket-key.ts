// The handshake of WebSocket is HTTP/1.1's alone (RFC 6455 §4): over HTTP/2 nobody sends a key or proves to have read it
// (RFC 8441 §5). Where the two meet, the proxy does for each side what the other does not.
import { createHash, randomBytes } from 'node:crypto'
import type { HeaderList } from '../../../codec/header-list.ts'

const keyField = 'sec-websocket-key'
const acceptField = 'sec-websocket-accept'
/** RFC 6455 §1.3. */
const magic = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

const isWebSocket = (upgrade: string): boolean => upgrade.toLowerCase() === 'websocket'

/** Before a request goes out in HTTP/1.1. */
export function giveKey(headers: HeaderList, upgrade: string): void {
  if (isWebSocket(upgrade) && !headers.has(keyField)) headers.add(keyField, randomBytes(16).toString('base64'))
}

/** For the answer that came in HTTP/2 to a request with this key: what its client of HTTP/1.1 looks for. */
export function giveAccept(headers: HeaderList, key: string | undefined): void {
  if (key !== undefined && !headers.has(acceptField)) headers.add(acceptField, acceptFor(key))
}

export const keyOf = (headers: HeaderList, upgrade: string): string | undefined => (isWebSocket(upgrade) ? headers.get(keyField) : undefined)

export const acceptFor = (key: string): string => createHash('sha1').update(key + magic).digest('base64')
