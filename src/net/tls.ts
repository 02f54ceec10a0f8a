// TLS contexts: what a server or a client shows, trusts and offers, built once per identity and used for any number of
// connections. They never change: rotation makes new ones, and connections made with the old ones live on. Handshakes
// are in tls-handshake.ts.
import { X509Certificate, constants, createHash } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import type { SecureContext, SecureContextOptions } from 'node:tls'
import { describe } from '../lib/errors.ts'
import { netError } from './errors.ts'
import { parseSubjectAltNames } from './subject-alt-names.ts'

/** PEM: chain with the leaf first, and its PKCS#8 key. */
export interface TlsCertificate {
  readonly chain: string
  readonly key: string
}

/** PEM: roots, and revocation lists or empty. */
export interface TlsTrust {
  readonly roots: string
  readonly crl: string
}

/** Below 1.2 only where an operator asks for it. */
export type TlsVersion = 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3'

/** What a verified certificate says about its holder. */
export interface PeerNames {
  readonly uris: readonly string[]
  readonly dnsNames: readonly string[]
  readonly addresses: readonly string[]
}

/** By what a certificate can be pinned: SHA-256 over the whole of it, and over its public key. */
export interface PeerDigests {
  /** Lower-case hex. */
  readonly certificate: string
  /** Base64. */
  readonly publicKey: string
}

/**
 * Undefined lets the peer in; a text refuses it and says why. Called before any byte of the peer is used. `digests` is
 * undefined for a peer without a certificate.
 */
export type VerifyPeer = (peer: PeerNames, digests: PeerDigests | undefined) => string | undefined

interface CommonOptions {
  /** Server preference on servers, in order of offer on clients. Empty: no ALPN. */
  readonly alpn?: readonly string[]
  readonly minVersion?: TlsVersion
  readonly maxVersion?: TlsVersion
  /** OpenSSL names joined by colons; empty for the default. */
  readonly ciphers?: string
  readonly curves?: string
  readonly verify?: VerifyPeer | undefined
}

export interface ServerTlsOptions extends CommonOptions {
  readonly certificate: TlsCertificate
  /** Of other kinds of keys: what the client is able to check decides which is shown. */
  readonly otherCertificates?: readonly TlsCertificate[]
  /** By what client certificates are verified. */
  readonly trust?: TlsTrust | undefined
  /** `request`: a client without one is let in, one with a wrong one is not. */
  readonly clientCertificate?: 'none' | 'request' | 'require'
}

export interface ClientTlsOptions extends CommonOptions {
  /** What we show when asked; none by default. */
  readonly certificate?: TlsCertificate | undefined
  /** Undefined: the server's certificate is not verified, as Envoy does without a validation context. */
  readonly trust: TlsTrust | 'system' | undefined
}

/** Opaque to all but `net/`. */
export interface ServerTls {
  readonly context: SecureContext
  readonly clientCertificate: 'none' | 'request' | 'require'
  readonly alpn: readonly string[]
  readonly verify: VerifyPeer | undefined
  readonly localUris: readonly string[]
}

/** Opaque to all but `net/`. */
export interface ClientTls {
  readonly context: SecureContext
  readonly verifies: boolean
  readonly alpn: readonly string[]
  readonly verify: VerifyPeer | undefined
  readonly localUris: readonly string[]
}

/** Throws `net/tls` when certificate and key do not fit or are not PEM. */
export function createServerTls(options: ServerTlsOptions): ServerTls {
  const clientCertificate = options.clientCertificate ?? 'none'
  if (clientCertificate !== 'none' && options.trust === undefined) {
    throw netError('net/tls', 'client certificates are asked for, but there is nothing to verify them by')
  }
  return {
    context: build({
      ...commonContext(options),
      ...(clientCertificate === 'none' ? {} : { secureOptions: neverAgain | neverResumed }),
      ...shownAll([options.certificate, ...options.otherCertificates ?? []]),
      ...trusted(options.trust),
    }),
    clientCertificate,
    alpn: options.alpn ?? [],
    verify: options.verify,
    localUris: urisOf(options.certificate),
  }
}

export function createClientTls(options: ClientTlsOptions): ClientTls {
  const own = options.certificate
  return {
    context: build({ ...commonContext(options), ...(own === undefined ? {} : shown(own)), ...trusted(options.trust) }),
    verifies: options.trust !== undefined,
    alpn: options.alpn ?? [],
    verify: options.verify,
    localUris: own === undefined ? [] : urisOf(own),
  }
}

/** A peer that TLS 1.2 lets begin again makes us work for nothing, and HTTP/2 forbids it (RFC 9113 §9.2.1). */
const neverAgain = constants.SSL_OP_NO_RENEGOTIATION

/**
 * A client that shows a certificate shows it each time. With tickets it would come back with one instead, which OpenSSL refuses by
 * an alert: it cannot know whom it was for. To make two of them for each handshake takes a seventh of it.
 */
const neverResumed = constants.SSL_OP_NO_TICKET

function commonContext(options: CommonOptions): SecureContextOptions {
  const { minVersion = 'TLSv1.2', maxVersion = 'TLSv1.3', ciphers = '', curves = '' } = options
  return {
    minVersion,
    maxVersion,
    honorCipherOrder: true,
    secureOptions: neverAgain,
    ...cipherOptions(minVersion, ciphers),
    ...(curves === '' ? {} : { ecdhCurve: curves }),
  }
}

/** OpenSSL 3 has versions below 1.2 only at its lowest security level: their signatures are of SHA-1. */
function cipherOptions(minVersion: TlsVersion, ciphers: string): SecureContextOptions {
  const old = minVersion === 'TLSv1' || minVersion === 'TLSv1.1'
  if (old) return { ciphers: `${ciphers === '' ? 'DEFAULT' : ciphers}:@SECLEVEL=0` }
  return ciphers === '' ? {} : { ciphers }
}

/** OpenSSL keeps one for each kind of key, and of two of one kind the later one, silently. */
function shownAll(certificates: readonly TlsCertificate[]): SecureContextOptions {
  if (certificates.length === 1) return shown(certificates[0]!)
  const kinds = certificates.map(({ chain }) => keyKind(chain))
  const twice = kinds.find((kind, at) => kinds.indexOf(kind) !== at)
  if (twice !== undefined) throw netError('net/tls', `two certificates with keys of one kind (${twice}): a server can show one of each`)
  return { cert: certificates.map(({ chain }) => chain), key: certificates.map(({ key }) => key) }
}

function keyKind(chain: string): string {
  try {
    return new X509Certificate(chain).publicKey.asymmetricKeyType ?? 'unknown'
  } catch (error) {
    throw netError('net/tls', `a certificate cannot be read: ${describe(error)}`, error)
  }
}

/** Of a certificate that was verified. Worked out when asked for: most contexts pin nothing. */
export function digestsOf(certificate: X509Certificate): PeerDigests {
  return {
    get certificate() {
      return certificate.fingerprint256.replaceAll(':', '').toLowerCase()
    },
    get publicKey() {
      return createHash('sha256').update(certificate.publicKey.export({ type: 'spki', format: 'der' })).digest('base64')
    },
  }
}

function shown({ chain, key }: TlsCertificate): SecureContextOptions {
  return { cert: chain, key }
}

/** An empty bundle trusts nobody; left out, OpenSSL would trust the world. */
function trusted(trust: TlsTrust | 'system' | undefined): SecureContextOptions {
  if (trust === undefined || trust === 'system') return {}
  const certificates = splitPem(trust.roots)
  if (certificates.length === 0) throw netError('net/tls', 'the trust bundle holds no certificate')
  return { ca: certificates, ...(trust.crl === '' ? {} : { crl: trust.crl }) }
}

/** Node reads every certificate of a `ca` string only when they come as a list. */
function splitPem(bundle: string): string[] {
  return bundle.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
}

function build(options: SecureContextOptions): SecureContext {
  try {
    return createSecureContext(options)
  } catch (error) {
    throw netError('net/tls', `certificate, key or trust bundle cannot be used: ${describe(error)}`, error)
  }
}

function urisOf({ chain }: TlsCertificate): readonly string[] {
  return parseSubjectAltNames(new X509Certificate(chain).subjectAltName).uris
}
