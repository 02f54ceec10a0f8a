// TLS of a server: of a gateway, or of a sidecar's ingress listener (traffic spec 1.4).
import { z } from 'zod'

const version = z.enum(['TLS_AUTO', 'TLSV1_0', 'TLSV1_1', 'TLSV1_2', 'TLSV1_3']).default('TLS_AUTO')

const certificate = z.strictObject({
  serverCertificate: z.string().default(''),
  privateKey: z.string().default(''),
  caCertificates: z.string().default(''),
})

export const serverTls = z.strictObject({
  httpsRedirect: z.boolean().default(false),
  mode: z
    .enum(['PASSTHROUGH', 'SIMPLE', 'MUTUAL', 'AUTO_PASSTHROUGH', 'ISTIO_MUTUAL', 'OPTIONAL_MUTUAL'])
    .optional(),
  serverCertificate: z.string().default(''),
  privateKey: z.string().default(''),
  caCertificates: z.string().default(''),
  caCrl: z.string().default(''),
  credentialName: z.string().default(''),
  credentialNames: z.array(z.string().min(1)).max(2, 'must have at most 2 entries').default([]),
  caCertCredentialName: z.string().default(''),
  tlsCertificates: z.array(certificate).max(2, 'must have at most 2 entries').default([]),
  subjectAltNames: z.array(z.string()).default([]),
  verifyCertificateSpki: z.array(z.string()).default([]),
  verifyCertificateHash: z.array(z.string()).default([]),
  minProtocolVersion: version,
  maxProtocolVersion: version,
  cipherSuites: z.array(z.string()).default([]),
  ecdhCurves: z.array(z.string()).default([]),
})

export type ServerTls = z.infer<typeof serverTls>
