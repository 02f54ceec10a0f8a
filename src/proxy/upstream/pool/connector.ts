// Opens one connection to one host: where it really is, with the TLS that the host asks for, and says in Envoy's words
// why that failed.
import { proxyHead } from '../../../codec/proxy-protocol.ts'
import type { ProxyProtocolVersion } from '../../../codec/proxy-protocol.ts'
import { describe } from '../../../lib/errors.ts'
import type { Address } from '../../../model/address.ts'
import { connect } from '../../../net/connect.ts'
import type { KeepAlive } from '../../../net/keep-alive.ts'
import { isName } from '../../../net/resolve.ts'
import type { NetError } from '../../../net/errors.ts'
import type { Transport } from '../../../net/transport.ts'
import { failLater } from '../fail-later.ts'
import type { RuntimeHost } from '../host.ts'
import type { TlsUse } from '../tls.ts'
import type { ClientAddresses, ResetReason } from '../types.ts'

export interface ConnectionRequest {
  readonly host: RuntimeHost
  readonly use: TlsUse
  /** Whom the request is for, where the TLS context names none; empty for nobody in particular. */
  readonly serverName: string
  /** The certificate must be for that name. */
  readonly verifyServerName: boolean
  readonly timeoutMs: number
  readonly keepAlive: KeepAlive | undefined
  /** Whom the server is told of by PROXY protocol, where it wants that. */
  readonly client: ClientAddresses | undefined
  /** A connection that was made is gone. */
  readonly onClosed?: () => void
}

export interface ConnectionFailure {
  readonly reason: ResetReason
  readonly detail: string
  /** Whether it says something about the host. */
  readonly blamesHost: boolean
}

export type ConnectionDone = (failure: ConnectionFailure | undefined, transport: Transport | undefined) => void

export class Connector {
  readonly #dial: (address: Address, tls: boolean) => Address
  readonly #bindsSources: boolean

  /** `dial` says where an address really is, when that differs. `bindsSources`: clusters say where connections come from. */
  constructor(dial: (address: Address, tls: boolean) => Address, bindsSources = false) {
    this.#dial = dial
    this.#bindsSources = bindsSources
  }

  /** `done` is never called inside. The result gives up: then it is not called at all. */
  open({ host, use, serverName, verifyServerName, timeoutMs, keepAlive, client, onClosed }: ConnectionRequest, done: ConnectionDone): () => void {
    const { tls: hostTls, proxyProtocol, sources } = host.socket
    const address = this.#dial(host.connectTo, hostTls !== undefined)
    const prologue = proxyProtocol === undefined ? {} : { prologue: headFor(proxyProtocol, client) }
    const from = this.#bindsSources ? fromOf(address, sources, client) : undefined
    const options = { address, timeoutMs, ...prologue, ...from, ...(keepAlive === undefined ? {} : { keepAlive }), ...(onClosed === undefined ? {} : { onClosed }) }
    if (hostTls === undefined) return connect(options, finish(done))
    const tls = hostTls.current(use, verifyServerName ? serverName : undefined)
    if (tls === undefined) return failLater(() => done({ reason: 'connection-failure', detail: hostTls.problem, blamesHost: false }, undefined))
    return connect({ ...options, tls, serverName: hostTls.serverName || serverNameOf(serverName) }, finish(done))
  }
}

/** An address of the family that the host is of: the client's own, where it shall be seen, or the cluster's. */
function fromOf({ host }: Address, sources: readonly string[] | undefined, client: ClientAddresses | undefined): { readonly source?: string; readonly foreignMark?: number } {
  const ipv6 = host.includes(':')
  if (client?.sourceMark !== undefined && client.remoteAddress.host.includes(':') === ipv6) return { source: client.remoteAddress.host, foreignMark: client.sourceMark }
  const source = sources?.find((one) => one.includes(':') === ipv6)
  return source === undefined ? {} : { source }
}

const nobody = { host: '', port: 0 }

/** A connection that is nobody's in particular is the proxy's own. */
function headFor(version: ProxyProtocolVersion, client: ClientAddresses | undefined): Buffer {
  return proxyHead(version, client?.remoteAddress ?? nobody, client?.originalDestination ?? nobody)
}

/** Addresses are no server names (RFC 6066 §3). */
function serverNameOf(host: string): string {
  return isName({ host }) ? host : ''
}

function finish(done: ConnectionDone): (error: NetError | undefined, transport: Transport | undefined) => void {
  return (error, transport) => (error === undefined ? done(undefined, transport) : done(failureOf(error), undefined))
}

function failureOf(error: NetError): ConnectionFailure {
  if (error.code === 'net/timeout') return { reason: 'connection-timeout', detail: '', blamesHost: true }
  return { reason: 'connection-failure', detail: wordsOf(error), blamesHost: true }
}

function wordsOf(error: NetError): string {
  switch (error.code) {
    case 'net/refused': return 'delayed connect error: Connection refused'
    case 'net/unreachable': return 'immediate connect error: Network is unreachable'
    case 'net/reset': return 'delayed connect error: Connection reset by peer'
    case 'net/name': return error.message
    case 'net/tls': return `TLS_error: ${error.message}`
    default: return describe(error)
  }
}
