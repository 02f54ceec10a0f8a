// TLS handshakes on a socket that is connected already, as a server and as a client. The peer's identity is checked
// before the connection is handed over, and sessions are never resumed: a resumed one would skip that check.
import type { X509Certificate } from 'node:crypto'
import type { Socket } from 'node:net'
import { TLSSocket, connect as connectTls } from 'node:tls'
import { describe } from '../lib/errors.ts'
import { closeSocket } from './close-socket.ts'
import { netError, systemCode } from './errors.ts'
import type { NetError } from './errors.ts'
import { parseSubjectAltNames } from './subject-alt-names.ts'
import { digestsOf } from './tls.ts'
import type { ClientTls, PeerNames, ServerTls, VerifyPeer } from './tls.ts'
import type { TlsInfo } from './transport.ts'

export interface HandshakeWaiter {
  /** Called while the handshake's last bytes are being handled: whoever reads must take the socket over at once. */
  onSecure(socket: TLSSocket, info: TlsInfo): void
  onFailure(error: NetError): void
}

/**
 * `alpn` is empty when the client offers none of ours: then the connection goes on without ALPN, as Envoy's does, where
 * OpenSSL would refuse it.
 */
export function handshakeAsServer(raw: Socket, tls: ServerTls, alpn: readonly string[], waiter: HandshakeWaiter): () => void {
  const asks = tls.clientCertificate !== 'none'
  const socket = new TLSSocket(raw, {
    isServer: true,
    secureContext: tls.context,
    requestCert: asks,
    rejectUnauthorized: tls.clientCertificate === 'require',
    ...(alpn.length === 0 ? {} : { ALPNProtocols: [...alpn] }),
  })
  const check: CheckPeer = (certificate) => {
    if (!asks) return undefined
    const reason = verdictOf(socket, certificate, tls.clientCertificate === 'require')
    if (reason !== undefined) return `client certificate: ${reason}`
    return certificate === undefined ? undefined : verdict(tls.verify, certificate)
  }
  return waitFor(socket, raw, 'secure', check, tls.localUris, asks, waiter)
}

/** `serverName` is sent as SNI unless it is empty. */
export function handshakeAsClient(raw: Socket, tls: ClientTls, serverName: string, waiter: HandshakeWaiter): () => void {
  const socket = connectTls({
    socket: raw,
    secureContext: tls.context,
    rejectUnauthorized: tls.verifies,
    // The chain is node's to check, names are ours: a SPIFFE certificate fails the default check of the host name.
    checkServerIdentity: () => undefined,
    ...(serverName === '' ? {} : { servername: serverName }),
    ...(tls.alpn.length === 0 ? {} : { ALPNProtocols: [...tls.alpn] }),
  })
  const check: CheckPeer = (certificate) => {
    if (tls.verifies && !socket.authorized) return `server certificate: ${describe(socket.authorizationError)}`
    return verdict(tls.verify, certificate)
  }
  return waitFor(socket, raw, 'secureConnect', check, tls.localUris, tls.verifies, waiter)
}

function verdict(verify: VerifyPeer | undefined, certificate: X509Certificate | undefined): string | undefined {
  return verify?.(namesOf(certificate), certificate === undefined ? undefined : digestsOf(certificate))
}

type CheckPeer = (certificate: X509Certificate | undefined) => string | undefined

function waitFor(
  socket: TLSSocket,
  raw: Socket,
  done: 'secure' | 'secureConnect',
  check: CheckPeer,
  localUris: readonly string[],
  verified: boolean,
  waiter: HandshakeWaiter,
): () => void {
  let failure: Error | undefined
  const remember = (error: Error): void => {
    failure ??= error
  }
  const onClose = (): void => fail(failure)
  const settle = (): void => {
    socket.off(done, onSecure)
    socket.off('close', onClose)
    socket.off('end', onClose)
    raw.off('error', remember)
  }
  const fail = (cause: Error | undefined): void => {
    settle()
    closeSocket(socket, raw)
    waiter.onFailure(netError('net/tls', `TLS handshake failed: ${reasonOf(cause)}`, cause))
  }
  const onSecure = (): void => {
    // Asked for once: on clients, node (24) takes the certificate out of the chain, and the next call gives its issuer.
    const certificate = socket.getPeerX509Certificate()
    const refused = check(certificate)
    if (refused !== undefined) return fail(netError('net/tls', refused))
    settle()
    socket.off('error', remember)
    waiter.onSecure(socket, infoOf(socket, localUris, verified ? certificate : undefined))
  }
  socket.on(done, onSecure)
  socket.on('error', remember)
  raw.on('error', remember)
  socket.on('close', onClose)
  // The socket may stay half open, so that a peer that leaves in the middle closes nothing by itself.
  socket.on('end', onClose)
  return () => {
    settle()
    closeSocket(socket, raw)
  }
}

/** OpenSSL's own words, without its file names and thread ids. */
function reasonOf(cause: Error | undefined): string {
  if (cause === undefined) return 'the peer closed the connection'
  const reason = 'reason' in cause && typeof cause.reason === 'string' ? cause.reason : cause.message
  const code = systemCode(cause)
  return code === '' || code.startsWith('net/') ? reason : `${reason} (${code})`
}

/** Undefined when the client's chain was verified. Where node does not tell, nobody comes in. */
function verdictOf(socket: TLSSocket, certificate: X509Certificate | undefined, required: boolean): string | undefined {
  const handle: unknown = '_handle' in socket ? socket._handle : undefined
  if (!hasVerifyError(handle)) return 'cannot be verified on this version of node'
  const error = handle.verifyError()
  if (certificate === undefined) return required ? 'none was sent' : undefined
  if (error === null || error === undefined) return undefined
  return 'code' in error && typeof error.code === 'string' ? `${error.message} (${error.code})` : error.message
}

function hasVerifyError(handle: unknown): handle is { verifyError(): Error | null | undefined } {
  return typeof handle === 'object' && handle !== null && 'verifyError' in handle && typeof handle.verifyError === 'function'
}

function namesOf(certificate: X509Certificate | undefined): PeerNames {
  return parseSubjectAltNames(certificate?.subjectAltName)
}

/** `certificate`: the peer's, where it was verified. */
function infoOf(socket: TLSSocket, localUris: readonly string[], certificate: X509Certificate | undefined): TlsInfo {
  const names = parseSubjectAltNames(certificate?.subjectAltName)
  const serverName: unknown = 'servername' in socket ? socket.servername : undefined
  return {
    alpn: typeof socket.alpnProtocol === 'string' ? socket.alpnProtocol : '',
    serverName: typeof serverName === 'string' ? serverName : '',
    protocol: socket.getProtocol() ?? '',
    peerUris: names.uris,
    peerDnsNames: names.dnsNames,
    peerSubject: subjectOf(certificate),
    peerDigest: certificate === undefined ? '' : digestsOf(certificate).certificate,
    peerCertificate: certificate?.raw,
    localUris,
  }
}

/** As RFC 2253 writes it. Node gives no subject at all where it is empty, as it is in a workload's certificate. */
function subjectOf(certificate: X509Certificate | undefined): string {
  const subject: string | undefined = certificate?.subject
  return subject === undefined ? '' : subject.split('\n').reverse().join(',')
}
