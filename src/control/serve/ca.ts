// Istio's certificate service (security spec 1.2, 1.3): gives a caller a certificate for the identity that the caller has
// proved, by a client certificate or a bootstrap token. What the request itself says about names is not looked at.
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { describe, MeshError } from '../../lib/errors.ts'
import { formatAddress } from '../../model/address.ts'
import { formatSpiffeId, parseSpiffeId } from '../../model/spiffe-id.ts'
import type { SpiffeId } from '../../model/spiffe-id.ts'
import { IstioCertificateRequestSchema, IstioCertificateResponseSchema } from '../../proto/gen/istio/v1/auth/ca_pb.ts'
import type { IstioCertificateRequest } from '../../proto/gen/istio/v1/auth/ca_pb.ts'
import type { AuditPeer, WriteAudit } from '../../telemetry/audit/events.ts'
import type { Ca, SignedCertificate } from '../ca/ca.ts'
import type { BootstrapTokens } from '../ca/tokens.ts'
import type { WorkloadTokens } from '../ca/workload-tokens.ts'
import { GrpcError, grpcStatus } from './rpc.ts'
import type { Caller, UnaryMethod } from './rpc.ts'

export interface CertificateServiceOptions {
  readonly ca: Ca
  readonly tokens: BootstrapTokens
  /** Of the platform; undefined: it has none. */
  readonly workloadTokens?: WorkloadTokens | undefined
  /** Every certificate that is given, and every refusal. */
  readonly log: (line: string) => void
  readonly audit?: WriteAudit | undefined
}

export function certificateService({ ca, tokens, workloadTokens, log, audit = () => undefined }: CertificateServiceOptions): UnaryMethod {
  const handle = async (bytes: Uint8Array, caller: Caller): Promise<Uint8Array> => {
    const request = decode(bytes)
    const { identity, by } = await authenticate(caller, ca.trustDomain, { tokens, workloadTokens })
    refuseOthersNames(request)
    const issued = sign(ca, request, identity)
    if (by === 'token') await redeem(caller, tokens)
    log(`certificate ${issued.serial} issued to ${formatSpiffeId(identity)} at ${formatAddress(caller.remoteAddress)} by its ${by}, until ${new Date(issued.notAfter).toISOString()}`)
    audit({
      event: 'certificate-issued', client: peerOf(caller), identity: formatSpiffeId(identity), proof: by,
      serial: issued.serial, notAfter: new Date(issued.notAfter).toISOString(),
    })
    return toBinary(IstioCertificateResponseSchema, create(IstioCertificateResponseSchema, { certChain: [...issued.chain, ca.roots] }))
  }
  return {
    kind: 'unary',
    path: '/istio.v1.auth.IstioCertificateService/CreateCertificate',
    async handle(bytes, caller) {
      try {
        return await handle(bytes, caller)
      } catch (error) {
        log(`no certificate for ${formatAddress(caller.remoteAddress)}: ${describe(error)}`)
        audit({ event: 'certificate-refused', client: peerOf(caller), reason: describe(error) })
        throw error instanceof Error ? error : new GrpcError(grpcStatus.internal, String(error))
      }
    },
  }
}

function peerOf({ remoteAddress, uris }: Caller): AuditPeer {
  return { address: formatAddress(remoteAddress), identity: uris.join(',') }
}

function decode(bytes: Uint8Array): IstioCertificateRequest {
  try {
    return fromBinary(IstioCertificateRequestSchema, bytes)
  } catch (error) {
    throw new GrpcError(grpcStatus.invalidArgument, `not an IstioCertificateRequest: ${describe(error)}`)
  }
}

interface Authenticated {
  readonly identity: SpiffeId
  readonly by: 'client certificate' | 'token' | 'workload token'
}

/** A client certificate first, then a token; what proves nothing is refused. */
async function authenticate(caller: Caller, trustDomain: string, { tokens, workloadTokens }: Pick<CertificateServiceOptions, 'tokens' | 'workloadTokens'>): Promise<Authenticated> {
  if (!caller.encrypted && !isLoopback(caller.remoteAddress.host)) throw unauthenticated('certificates are not given over plaintext from another host')
  const reasons: string[] = []
  if (caller.uris.length > 0) {
    const identity = identityOf(caller.uris, trustDomain)
    if (identity !== undefined) return { identity, by: 'client certificate' }
    reasons.push(`the client certificate is not for one identity of ${trustDomain}`)
  }
  if (caller.bearer !== '') {
    const ofPlatform = workloadTokens?.claims(caller.bearer) === true
    const verdict = ofPlatform ? await workloadTokens.verify(caller.bearer) : tokens.verify(caller.bearer)
    if ('identity' in verdict && sameDomain(verdict.identity, trustDomain)) return { identity: verdict.identity, by: ofPlatform ? 'workload token' : 'token' }
    reasons.push('refused' in verdict ? verdict.refused : `the token is for another trust domain than ${trustDomain}`)
  }
  throw unauthenticated(reasons.length === 0 ? 'show a client certificate of this mesh, or a bootstrap token' : reasons.join('; '))
}

async function redeem({ bearer }: Caller, tokens: BootstrapTokens): Promise<void> {
  const verdict = await tokens.redeem(bearer)
  if ('refused' in verdict) throw unauthenticated(verdict.refused)
}

/** With several URIs it would be open which one is meant. */
function identityOf(uris: readonly string[], trustDomain: string): SpiffeId | undefined {
  const identity = uris.length === 1 ? parseSpiffeId(uris[0]!) : undefined
  return identity !== undefined && sameDomain(identity, trustDomain) ? identity : undefined
}

function sameDomain(identity: SpiffeId, trustDomain: string): boolean {
  return identity.trustDomain === trustDomain.replaceAll('@', '.')
}

function isLoopback(host: string): boolean {
  return host === '::1' || /^(::ffff:)?127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host)
}

function refuseOthersNames({ metadata }: IstioCertificateRequest): void {
  if (metadata?.['ImpersonatedIdentity'] !== undefined) throw unauthenticated('nobody may ask for the certificate of another identity here')
  const signer = metadata?.['CertSigner']
  if (signer !== undefined && signer !== '') throw new GrpcError(grpcStatus.invalidArgument, `there is no signer ${JSON.stringify(signer)} here: leave CertSigner out`)
}

function sign(ca: Ca, { csr, validityDuration }: IstioCertificateRequest, identity: SpiffeId): SignedCertificate {
  try {
    return ca.sign(csr, identity, Number(validityDuration) * 1000)
  } catch (error) {
    if (!(error instanceof MeshError)) throw error
    const theirs = error.code.startsWith('x509/') || error.code === 'ca/ttl'
    throw new GrpcError(theirs ? grpcStatus.invalidArgument : grpcStatus.internal, describe(error))
  }
}

function unauthenticated(message: string): GrpcError {
  return new GrpcError(grpcStatus.unauthenticated, message)
}
