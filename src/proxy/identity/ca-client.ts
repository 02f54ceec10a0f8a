// Asks the CA for a certificate (istio.v1.auth, security spec 1.2). What comes back is checked before anybody uses it.
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import type { KeyObject } from 'node:crypto'
import { MeshError } from '../../lib/errors.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Address } from '../../model/address.ts'
import { IstioCertificateRequestSchema, IstioCertificateResponseSchema } from '../../proto/gen/istio/v1/auth/ca_pb.ts'
import { readCertificate, validityOf } from '../../security/x509/issuer.ts'
import { exportKey } from '../../security/x509/key.ts'
import { splitCertificates } from '../../security/x509/pem.ts'
import { createRequest } from '../../security/x509/request.ts'
import { openChannel } from '../xds/channel.ts'
import type { CertificateSecret } from './secrets.ts'

export interface CaAddress {
  readonly address: Address
  /** Undefined: plaintext, to loopback only. `roots` vouch for the CA until the CA has sent its own. */
  readonly tls: { readonly roots: string; readonly serverName: string } | undefined
}

export interface CertificateOrder {
  readonly ca: CaAddress
  /** `spiffe://...` that the certificate must be for. */
  readonly uri: string
  readonly key: KeyObject
  readonly lifetimeMs: number
  /** How we show who we are: empty and undefined for what we have not got. */
  readonly bearer: string
  readonly certificate: CertificateSecret | undefined
  readonly timeoutMs: number
  /** By which validity is judged; the network's own times are real ones. */
  readonly clock: Clock
  /** Gives up. */
  readonly signal: AbortSignal
}

export interface Obtained {
  readonly secret: CertificateSecret
  readonly roots: string
  readonly notAfter: number
}

/** Rejects with an RpcError, or `identity/answer` for an answer that is of no use. */
export async function obtainCertificate(order: CertificateOrder): Promise<Obtained> {
  const { ca, uri, key, lifetimeMs, bearer, certificate, timeoutMs, signal } = order
  const message = create(IstioCertificateRequestSchema, { csr: createRequest(key, uri), validityDuration: BigInt(Math.ceil(lifetimeMs / 1000)) })
  const channel = openChannel({ address: ca.address, tls: ca.tls === undefined ? undefined : { ...ca.tls, certificate } })
  const giveUp = (): void => channel.close()
  signal.addEventListener('abort', giveUp)
  try {
    const answer = await channel.unary('/istio.v1.auth.IstioCertificateService/CreateCertificate', toBinary(IstioCertificateRequestSchema, message), {
      timeoutMs,
      metadata: bearer === '' ? {} : { authorization: `Bearer ${bearer}` },
    })
    return readAnswer(fromBinary(IstioCertificateResponseSchema, answer).certChain, order)
  } catch (error) {
    throw error instanceof MeshError ? error : new MeshError('identity/answer', "the CA's answer cannot be read", error)
  } finally {
    signal.removeEventListener('abort', giveUp)
    channel.close()
  }
}

/** Leaf and intermediates, and the bundle of roots as the last element. */
function readAnswer(certChain: readonly string[], { uri, key, clock }: CertificateOrder): Obtained {
  const roots = certChain.at(-1) ?? ''
  const chain = certChain.slice(0, -1).map((pem) => `${pem.trimEnd()}\n`)
  if (chain.length === 0 || splitCertificates(roots).length === 0) throw wrong(`it has ${certChain.length} certificates: a leaf and a root are expected`)
  const leaf = readCertificate(chain[0]!)
  if (leaf.subjectAltName !== `URI:${uri}`) throw wrong(`it is for ${leaf.subjectAltName ?? 'nobody'}, not for ${uri}`)
  if (!leaf.checkPrivateKey(key)) throw wrong('it is for another key')
  const { notAfter } = validityOf(leaf)
  if (notAfter <= clock.now()) throw wrong(`it expired on ${new Date(notAfter).toISOString()} already: compare the clocks`)
  return { secret: { chain: chain.join(''), key: exportKey(key) }, roots, notAfter }
}

function wrong(how: string): MeshError {
  return new MeshError('identity/answer', `the certificate from the CA is refused: ${how}`)
}
