// TLS contexts: what a server or a client shows, trusts and offers, built once per identity and used for any number of
// connections. They never change: rotation makes new ones, and connections made with the old ones live on. Handshakes
// are in tls-handshake.ts.
import { X509Certificate } from 'node:crypto'
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

export type TlsVersion = 'TLSv1.2' | 'TLSv1.3'

/** What a verified certificate says about its holder. */
export interface PeerNames {
  readonly uris: readonly string[]
  readonly dnsNames: readonly string[]
}

/** Undefined lets the peer in; a text refuses it and says why. Called before any byte of the peer is used. */
export type VerifyPeer = (peer: PeerNames) => string | undefined

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
    context: build({ ...commonContext(options), ...shown(options.certificate), ...trusted(options.trust) }),
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

function commonContext(options: CommonOptions): SecureContextOptions {
  const { minVersion = 'TLSv1.2', maxVersion = 'TLSv1.3', ciphers = '', curves = '' } = options
  return {
    minVersion,
    maxVersion,
    honorCipherOrder: true,
    ...(ciphers === '' ? {} : { ciphers }),
    ...(curves === '' ? {} : { ecdhCurve: curves }),
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
