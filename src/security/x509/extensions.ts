// X.509 v3 extensions (RFC 5280 4.2), written and found.
import { DerReader } from './der-reader.ts'
import { bitString, implicit, octetString, oid, sequence, tags, yes } from './der-writer.ts'
import { encodeAltNames } from './names.ts'
import type { AltNames } from './names.ts'
import { oids } from './object-identifiers.ts'

/** One Extension. */
function extension(id: string, critical: boolean, value: Buffer): Buffer {
  return critical ? sequence(oid(id), yes, octetString(value)) : sequence(oid(id), octetString(value))
}

/** Always critical, as RFC 5280 wants it of a CA. */
export const isAuthority: Buffer = extension(oids.basicConstraints, true, sequence(yes))
export const isNoAuthority: Buffer = extension(oids.basicConstraints, true, sequence())

/** keyCertSign and cRLSign (bits 5 and 6). */
export const signsCertificates: Buffer = extension(oids.keyUsage, true, bitString(Buffer.from([0x06]), 1))
/** digitalSignature and keyEncipherment (bits 0 and 2), as Istio's workload certificates have. */
export const signsAndEnciphers: Buffer = extension(oids.keyUsage, true, bitString(Buffer.from([0xa0]), 5))

export const forBothEnds: Buffer = extension(oids.extKeyUsage, false, sequence(oid(oids.serverAuth), oid(oids.clientAuth)))
export const forServers: Buffer = extension(oids.extKeyUsage, false, sequence(oid(oids.serverAuth)))

export function subjectKey(keyId: Buffer): Buffer {
  return extension(oids.subjectKeyIdentifier, false, octetString(keyId))
}

/** Must be the issuer's own subject key identifier, letter for letter, or chains are not found. */
export function authorityKey(keyId: Buffer): Buffer {
  return extension(oids.authorityKeyIdentifier, false, sequence(implicit(0, keyId)))
}

/** Critical, because the subjects that go with it are empty (RFC 5280 4.1.2.6). */
export function altNames(names: AltNames): Buffer {
  return extension(oids.subjectAltName, true, encodeAltNames(names))
}

/** The value of an extension in a sequence of them; undefined when it is not there. */
export function findExtension(extensions: DerReader, wanted: string): Buffer | undefined {
  while (!extensions.done) {
    const one = extensions.sequence('extension')
    const id = one.oid()
    if (one.next === tags.boolean) one.any()
    const value = one.take(tags.octetString).content
    if (id === wanted) return value
  }
  return undefined
}
