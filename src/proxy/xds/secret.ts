// Decodes SDS secrets, and keeps them beside the proxy's own identity: `default` and `ROOTCA` never come from the control
// plane, all other names do.
import { MeshError } from '../../lib/errors.ts'
import type { CertificateValidationContext, TlsCertificate } from '../../proto/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.ts'
import type { Secret } from '../../proto/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts'
import type { CertificateSecret, Secrets, TrustSecret } from '../identity/secrets.ts'
import { inlineText } from './data-source.ts'

export type DecodedSecret =
  | { readonly kind: 'certificate'; readonly value: CertificateSecret }
  | { readonly kind: 'trust'; readonly value: TrustSecret }

/** The names that the proxy's own identity serves. */
export const localSecretNames: ReadonlySet<string> = new Set(['default', 'ROOTCA'])

export function decodeSecret(secret: Secret): DecodedSecret {
  switch (secret.type.case) {
    case 'tlsCertificate': return { kind: 'certificate', value: decodeCertificate(secret.type.value, secret.name) }
    case 'validationContext': return { kind: 'trust', value: decodeTrust(secret.type.value, secret.name) }
    default: throw new MeshError('proxy/bad-config', `secret ${secret.name}: ${secret.type.case ?? 'an empty secret'} is not supported`)
  }
}

export function decodeCertificate(certificate: TlsCertificate, name: string): CertificateSecret {
  if (certificate.privateKeyProvider !== undefined || certificate.pkcs12 !== undefined) {
    throw new MeshError('proxy/bad-config', `secret ${name}: private key providers and PKCS#12 are not supported`)
  }
  const chain = inlineText(certificate.certificateChain, `secret ${name}, certificate_chain`)
  const key = inlineText(certificate.privateKey, `secret ${name}, private_key`)
  if (!chain || !key) throw new MeshError('proxy/bad-config', `secret ${name}: needs a certificate chain and a private key`)
  return { chain, key }
}

export function decodeTrust(context: CertificateValidationContext, name: string): TrustSecret {
  const roots = inlineText(context.trustedCa, `secret ${name}, trusted_ca`)
  if (!roots) throw new MeshError('proxy/bad-config', `secret ${name}: needs trusted_ca`)
  return { roots, crl: inlineText(context.crl, `secret ${name}, crl`) ?? '' }
}

/** The proxy's own identity, and the credentials that the control plane sent. */
export class SecretStore implements Secrets {
  readonly #own: Secrets
  readonly #sent = new Map<string, DecodedSecret>()
  readonly #listeners = new Set<(name: string) => void>()

  constructor(own: Secrets) {
    this.#own = own
    own.onChange((name) => this.#tell(name))
  }

  certificate(name: string): CertificateSecret | undefined {
    if (localSecretNames.has(name)) return this.#own.certificate(name)
    const sent = this.#sent.get(name)
    return sent?.kind === 'certificate' ? sent.value : undefined
  }

  trust(name: string): TrustSecret | undefined {
    if (localSecretNames.has(name)) return this.#own.trust(name)
    const sent = this.#sent.get(name)
    return sent?.kind === 'trust' ? sent.value : undefined
  }

  has(name: string): boolean {
    return this.certificate(name) !== undefined || this.trust(name) !== undefined
  }

  /** Names that the control plane sent. */
  names(): readonly string[] {
    return [...this.#sent.keys()]
  }

  set(name: string, secret: DecodedSecret): void {
    if (localSecretNames.has(name)) {
      throw new MeshError('proxy/bad-config', `secret ${name}: the proxy's own identity does not come from the control plane`)
    }
    this.#sent.set(name, secret)
    this.#tell(name)
  }

  remove(name: string): void {
    if (this.#sent.delete(name)) this.#tell(name)
  }

  onChange(changed: (name: string) => void): () => void {
    this.#listeners.add(changed)
    return () => this.#listeners.delete(changed)
  }

  #tell(name: string): void {
    for (const listener of this.#listeners) listener(name)
  }
}
