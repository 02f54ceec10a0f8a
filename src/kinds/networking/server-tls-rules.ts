// TLS of servers: which certificates a mode needs, and what it cannot use (traffic spec 1.4).
import { error, warning } from '../kind.ts'
import type { Finding, Frozen, Rule } from '../kind.ts'
import { credentialProblem } from './credential-rules.ts'
import type { ServerTls } from './server-tls.ts'

type Tls = Frozen<ServerTls>

const files = ['serverCertificate', 'privateKey', 'caCertificates', 'caCrl'] as const
const passthrough = ['PASSTHROUGH', 'AUTO_PASSTHROUGH']
const withOwnCertificate = ['SIMPLE', 'MUTUAL', 'OPTIONAL_MUTUAL']

/** Without a mode, as in protobuf, it is the first one. */
export const modeOf = ({ mode }: Tls): string => mode ?? 'PASSTHROUGH'

/** Where the certificate comes from; the fields that say so. */
function sourcesOf(tls: Tls): ('credentialName' | 'credentialNames' | 'tlsCertificates' | 'serverCertificate')[] {
  return [
    ...(tls.credentialName === '' ? [] : ['credentialName' as const]),
    ...(tls.credentialNames.length === 0 ? [] : ['credentialNames' as const]),
    ...(tls.tlsCertificates.length === 0 ? [] : ['tlsCertificates' as const]),
    ...(tls.serverCertificate === '' && tls.privateKey === '' ? [] : ['serverCertificate' as const]),
  ]
}

export const serverTlsRules: readonly Rule<ServerTls>[] = [
  error(function* (tls) {
    if (modeOf(tls) !== 'ISTIO_MUTUAL') return
    const why = 'cannot stand beside mode ISTIO_MUTUAL, which uses the certificates of the mesh: remove it'
    for (const field of [...files, 'credentialName'] as const) if (tls[field] !== '') yield [[field], why]
    for (const field of ['credentialNames', 'tlsCertificates'] as const) if (tls[field].length > 0) yield [[field], why]
  }),
  error(function* (tls) {
    if (!withOwnCertificate.includes(modeOf(tls))) return
    const [first, ...more] = sourcesOf(tls)
    if (first === undefined) yield [[], `mode ${modeOf(tls)} needs a certificate: give credentialName, or serverCertificate and privateKey`]
    for (const source of more) yield [[source], `is a second certificate beside ${first}: keep one source`]
    if (first === 'serverCertificate') yield* bothHalves(tls, [])
    for (const [index, pair] of tls.tlsCertificates.entries()) yield* bothHalves(pair, ['tlsCertificates', index])
  }),
  error(function* (tls) {
    const mode = modeOf(tls)
    const fromFiles = tls.credentialName === '' && tls.credentialNames.length === 0
    if ((mode === 'MUTUAL' || mode === 'OPTIONAL_MUTUAL') && fromFiles && sourcesOf(tls).length > 0 && tls.caCertificates === '' && tls.caCertCredentialName === '') {
      yield [['caCertificates'], `is required for mode ${mode} with certificates from files: by it clients are verified`]
    }
  }),
  error(function* (tls) {
    if (tls.caCrl === '' || modeOf(tls) === 'ISTIO_MUTUAL') return
    if (tls.credentialName !== '' || tls.credentialNames.length > 0) yield [['caCrl'], 'cannot stand beside credentialName: put the list into the secret, as ca.crl']
    else if (modeOf(tls) === 'SIMPLE') yield [['caCrl'], 'has no effect with mode SIMPLE, where clients have no certificate: remove it']
  }),
  warning(function* (tls) {
    if (!passthrough.includes(modeOf(tls))) return
    const why = `has no effect with mode ${modeOf(tls)}, which does not end TLS`
    for (const field of [...files, 'credentialName'] as const) if (tls[field] !== '') yield [[field], why]
    for (const field of ['credentialNames', 'tlsCertificates'] as const) if (tls[field].length > 0) yield [[field], why]
  }),
  warning(function* ({ credentialName, credentialNames, caCertCredentialName }) {
    const named: readonly Finding[] = [[['credentialName'], credentialName], ...credentialNames.map((name, index): Finding => [['credentialNames', index], name]), [['caCertCredentialName'], caCertCredentialName]]
    for (const [at, name] of named) {
      const problem = credentialProblem(name)
      if (problem !== undefined) yield [at, problem]
    }
  }),
  warning(function* ({ minProtocolVersion, cipherSuites }) {
    if (['TLSV1_0', 'TLSV1_1'].includes(minProtocolVersion) && cipherSuites.length === 0) {
      yield [['minProtocolVersion'], `${minProtocolVersion} needs cipherSuites: none of the default ones is for versions below TLSV1_2`]
    }
  }),
  warning(function* ({ minProtocolVersion, maxProtocolVersion }) {
    if (maxProtocolVersion !== 'TLS_AUTO' && minProtocolVersion > maxProtocolVersion && minProtocolVersion !== 'TLS_AUTO') {
      yield [['maxProtocolVersion'], `${maxProtocolVersion} is below minProtocolVersion ${minProtocolVersion}: no client can agree to both`]
    }
  }),
  warning(function* ({ cipherSuites }) {
    const seen = new Set<string>()
    for (const [index, suite] of cipherSuites.entries()) {
      if (!knownCiphers.has(suite)) yield [['cipherSuites', index], `${suite} is not a known cipher suite: it is left out`]
      else if (seen.has(suite)) yield [['cipherSuites', index], `${suite} is there twice: remove one`]
      seen.add(suite)
    }
  }),
]

function* bothHalves(pair: { readonly serverCertificate: string; readonly privateKey: string }, at: Finding[0]): Iterable<Finding> {
  for (const field of ['serverCertificate', 'privateKey'] as const) {
    if (pair[field] === '') yield [[...at, field], 'is required beside the other half of the certificate']
  }
}

/** Envoy's, in OpenSSL's names. */
export const knownCiphers: ReadonlySet<string> = new Set([
  'ECDHE-ECDSA-AES128-GCM-SHA256', 'ECDHE-RSA-AES128-GCM-SHA256', 'ECDHE-ECDSA-AES256-GCM-SHA384', 'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305', 'ECDHE-RSA-CHACHA20-POLY1305', 'ECDHE-PSK-CHACHA20-POLY1305', 'ECDHE-ECDSA-AES128-SHA', 'ECDHE-RSA-AES128-SHA',
  'ECDHE-ECDSA-AES256-SHA', 'ECDHE-RSA-AES256-SHA', 'ECDHE-PSK-AES128-CBC-SHA', 'ECDHE-PSK-AES256-CBC-SHA', 'AES128-GCM-SHA256', 'AES256-GCM-SHA384',
  'AES128-SHA', 'AES256-SHA', 'PSK-AES128-CBC-SHA', 'PSK-AES256-CBC-SHA', 'DES-CBC3-SHA',
])

/** Named groups for the key exchange. */
export const knownCurves: ReadonlySet<string> = new Set(['X25519', 'P-256', 'P-384', 'P-521', 'X25519MLKEM768'])
