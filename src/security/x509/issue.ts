// Makes certificates: the self-signed root of a mesh, and what it signs for workloads and for the control plane itself.
// Who may have one is decided elsewhere; here is only what it says.
import { randomBytes, sign } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { bitString, explicit, sequence, time, unsigned } from './der-writer.ts'
import * as extensions from './extensions.ts'
import type { Issuer } from './issuer.ts'
import { keyIdentifier, publicKeyInfo, signatureAlgorithm } from './key.ts'
import { distinguishedName } from './names.ts'
import { toPem } from './pem.ts'

/** Milliseconds since the epoch; certificates know whole seconds. */
export interface Validity {
  readonly notBefore: number
  readonly notAfter: number
}

export interface Issued {
  readonly pem: string
  /** Upper-case hexadecimal, as openssl and node print it. */
  readonly serial: string
}

/** Istio's self-signed root: the trust domain is its organization, and all of its subject. */
export function issueRoot(key: KeyObject, trustDomain: string, validity: Validity): Issued {
  const name = distinguishedName(trustDomain)
  const spki = publicKeyInfo(key)
  const parts = [extensions.isAuthority, extensions.signsCertificates, extensions.subjectKey(keyIdentifier(spki))]
  return build({ issuer: name, subject: name, spki, validity, extensions: parts }, key)
}

/** The same root for longer: of its key and its name, so that each vouches for what the other signed. */
export function issueRootAgain({ key, subject }: Issuer, validity: Validity): Issued {
  const spki = publicKeyInfo(key)
  const parts = [extensions.isAuthority, extensions.signsCertificates, extensions.subjectKey(keyIdentifier(spki))]
  return build({ issuer: subject, subject, spki, validity, extensions: parts }, key)
}

/** For one SPIFFE id, good for both ends of a connection. Subject empty, no other name. */
export function issueWorkload(issuer: Issuer, spki: Buffer, uri: string, validity: Validity): Issued {
  const names = extensions.altNames({ uris: [uri], dnsNames: [], addresses: [] })
  return issueLeaf(issuer, spki, validity, [extensions.forBothEnds, names])
}

/** For the control plane's own port. It is no identity: it has no URI, and is not good for clients. */
export function issueServer(issuer: Issuer, spki: Buffer, names: { readonly dnsNames: readonly string[]; readonly addresses: readonly string[] }, validity: Validity): Issued {
  return issueLeaf(issuer, spki, validity, [extensions.forServers, extensions.altNames({ uris: [], ...names })])
}

function issueLeaf(issuer: Issuer, spki: Buffer, validity: Validity, own: readonly Buffer[]): Issued {
  const common = [extensions.signsAndEnciphers, extensions.isNoAuthority, extensions.subjectKey(keyIdentifier(spki)), extensions.authorityKey(issuer.keyId)]
  return build({ issuer: issuer.subject, subject: distinguishedName(undefined), spki, validity, extensions: [...common, ...own] }, issuer.key)
}

interface Content {
  readonly issuer: Buffer
  readonly subject: Buffer
  readonly spki: Buffer
  readonly validity: Validity
  readonly extensions: readonly Buffer[]
}

/** TBSCertificate and Certificate, RFC 5280 4.1. */
function build({ issuer, subject, spki, validity, extensions: list }: Content, key: KeyObject): Issued {
  const serial = createSerial()
  const algorithm = signatureAlgorithm(key)
  const body = sequence(
    explicit(0, unsigned(Buffer.from([2]))), // version 3
    unsigned(serial), algorithm, issuer,
    sequence(time(validity.notBefore), time(validity.notAfter)),
    subject, spki,
    explicit(3, sequence(...list)),
  )
  return { pem: toPem('CERTIFICATE', sequence(body, algorithm, bitString(sign('sha256', body, key)))), serial: serial.toString('hex').toUpperCase() }
}

/** 126 random bits. The first byte is neither zero nor negative, so that everybody prints the serial alike. */
function createSerial(): Buffer {
  const serial = randomBytes(16)
  serial[0] = (serial[0]! & 0x3f) | 0x40
  return serial
}
