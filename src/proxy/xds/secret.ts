// Decodes SDS secrets, and keeps them beside the proxy's own identity and the certificates in its files: `default`, `ROOTCA`
// and `file-...` never come from the control plane, all other names do.
import { MeshError } from '../../lib/errors.ts'
import type { CertificateValidationContext, TlsCertificate } from '../../proto/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.ts'
import type { Secret } from '../../proto/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts'
import { bundleProblem, keyPairProblem } from '../../security/x509/key-pair.ts'
import { isFileSecret } from '../identity/file-secrets.ts'
import type { CertificateSecret, Secrets, TrustSecret } from '../identity/secrets.ts'
import { inlineText } from './data-source.ts'

/** More than a gateway has servers. */
const maxMissing = 10_000

export type DecodedSecret =
  | { readonly kind: 'certificate'; readonly value: CertificateSecret }
  | { readonly kind: 'trust'; readonly value: TrustSecret }

/** The names that the proxy's own identity serves. */
export const localSecretNames: ReadonlySet<string> = new Set(['default', 'ROOTCA'])

export function decodeSecret(secret: Secret): DecodedSecret {
  if (localSecretNames.has(secret.name) || isFileSecret(secret.name)) {
    throw new MeshError('proxy/bad-config', `secret ${secret.name}: the proxy's own identity and files do not come from the control plane`)
  }
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
  const problem = keyPairProblem(chain, key)
  if (problem !== undefined) throw new MeshError('proxy/bad-config', `secret ${name}: ${problem}`)
  return { chain, key }
}

export function decodeTrust(context: CertificateValidationContext, name: string): TrustSecret {
  const roots = inlineText(context.trustedCa, `secret ${name}, trusted_ca`)
  if (!roots) throw new MeshError('proxy/bad-config', `secret ${name}: needs trusted_ca`)
  const crl = inlineText(context.crl, `secret ${name}, crl`) ?? ''
  const problem = bundleProblem(roots, crl)
  if (problem !== undefined) throw new MeshError('proxy/bad-config', `secret ${name}: trusted_ca: ${problem}`)
  return { roots, crl }
}

/** Secrets in files, of which it can be said whether they were looked for. */
export interface LookedFor extends Secrets {
  isAnswered(name: string): boolean
}

const noFiles: LookedFor = { certificate: () => undefined, trust: () => undefined, onChange: () => () => {}, isAnswered: () => true }

/** The proxy's own identity, its files, and the credentials that the control plane sent. */
export class SecretStore implements Secrets {
  readonly #own: Secrets
  readonly #files: LookedFor
  readonly #sent = new Map<string, DecodedSecret>()
  /** Names of which the control plane said that it has none. */
  readonly #missing = new Set<string>()
  readonly #listeners = new Set<(name: string) => void>()

  constructor(own: Secrets, files: LookedFor = noFiles) {
    this.#own = own
    this.#files = files
    own.onChange((name) => this.#tell(name))
    files.onChange((name) => this.#tell(name))
  }

  certificate(name: string): CertificateSecret | undefined {
    if (localSecretNames.has(name)) return this.#own.certificate(name)
    if (isFileSecret(name)) return this.#files.certificate(name)
    const sent = this.#sent.get(name)
    return sent?.kind === 'certificate' ? sent.value : undefined
  }

  trust(name: string): TrustSecret | undefined {
    if (localSecretNames.has(name)) return this.#own.trust(name)
    if (isFileSecret(name)) return this.#files.trust(name)
    const sent = this.#sent.get(name)
    return sent?.kind === 'trust' ? sent.value : undefined
  }

  has(name: string): boolean {
    return this.certificate(name) !== undefined || this.trust(name) !== undefined
  }

  /** It is there, or nobody has it: no listener waits any longer for it. */
  isAnswered(name: string): boolean {
    return this.has(name) || this.#missing.has(name) || (isFileSecret(name) && this.#files.isAnswered(name))
  }

  /** Names that the control plane sent. */
  names(): readonly string[] {
    return [...this.#sent.keys()]
  }

  set(name: string, secret: DecodedSecret): void {
    this.#missing.delete(name)
    this.#sent.set(name, secret)
    this.#tell(name)
  }

  /** What was sent cannot be used: the last good one stays, and where there is none nobody waits for it. */
  refuse(name: string): void {
    if (!this.has(name)) this.#miss(name)
  }

  remove(name: string): void {
    this.#sent.delete(name)
    this.#miss(name)
  }

  #miss(name: string): void {
    if (this.#missing.size < maxMissing) this.#missing.add(name)
    this.#tell(name)
  }

  onChange(changed: (name: string) => void): () => void {
    this.#listeners.add(changed)
    return () => this.#listeners.delete(changed)
  }

  #tell(name: string): void {
    for (const listener of this.#listeners) listener(name)
  }
}
