// Who is at the other end of a connection, as far as the connection proves it.
import type { TLSSocket } from 'node:tls'
import type { ServerHttp2Session } from 'node:http2'
import { parseSubjectAltNames } from '../../net/subject-alt-names.ts'
import type { Caller } from './rpc.ts'

type Identified = Omit<Caller, 'bearer'>

export type Identification =
  | { readonly ok: true; readonly caller: Identified }
  | { readonly ok: false; readonly from: Identified['remoteAddress']; readonly reason: string }

/** A client without a certificate comes in without an identity; one that shows a wrong certificate does not come in. */
export function identify(session: ServerHttp2Session): Identification {
  const { socket } = session
  const remoteAddress = { host: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 }
  if (!session.encrypted) return { ok: true, caller: { remoteAddress, encrypted: false, uris: [] } }
  if (!isTls(socket)) return { ok: false, from: remoteAddress, reason: 'its socket is not one of TLS' }
  const certificate = socket.getPeerX509Certificate()
  if (certificate === undefined) return { ok: true, caller: { remoteAddress, encrypted: true, uris: [] } }
  if (!socket.authorized) return { ok: false, from: remoteAddress, reason: `its certificate is not to be trusted: ${String(socket.authorizationError)}` }
  return { ok: true, caller: { remoteAddress, encrypted: true, uris: parseSubjectAltNames(certificate.subjectAltName).uris } }
}

/** Node puts a proxy before the socket, which answers reads but not `in`. */
function isTls(socket: object): socket is TLSSocket {
  return typeof Reflect.get(socket, 'getPeerX509Certificate') === 'function' && typeof Reflect.get(socket, 'authorized') === 'boolean'
}
