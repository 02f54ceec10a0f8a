// The certificates and trust bundles that listeners and clusters refer to by SDS name: `default` (our own), `ROOTCA`,
// and credentials from the control plane. Private keys stay inside the process that made them.

export interface CertificateSecret {
  /** PEM, leaf first. */
  readonly chain: string
  /** PEM, PKCS#8. Never logged, dumped or sent. */
  readonly key: string
}

export interface TrustSecret {
  /** PEM bundle of roots. */
  readonly roots: string
  /** PEM revocation lists, or empty. */
  readonly crl: string
}

/** Looked up when a TLS context is built; contexts are built again when a name changes. */
export interface Secrets {
  certificate(name: string): CertificateSecret | undefined
  trust(name: string): TrustSecret | undefined
  /** Calls back with the name of each secret that arrived, changed or went; the result stops it. */
  onChange(changed: (name: string) => void): () => void
  /** The control plane says whom the mesh trusts now. Absent where somebody else says so. */
  takeTrust?(trust: TrustSecret): void
}
