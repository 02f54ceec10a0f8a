// TLS towards a service: which certificates a mode needs, and which it cannot use (traffic spec 1.3.6).
import { error, warning } from '../kind.ts'
import type { Rule } from '../kind.ts'
import { credentialProblem } from './credential-rules.ts'
import type { ClientTls } from './traffic-policy.ts'

const files = ['clientCertificate', 'privateKey', 'caCertificates', 'caCrl'] as const

export const clientTlsRules: readonly Rule<ClientTls>[] = [
  warning(function* ({ credentialName }) {
    const problem = credentialProblem(credentialName)
    if (problem !== undefined) yield [['credentialName'], problem]
  }),
  error(function* (tls) {
    if (tls.mode !== 'SIMPLE' && tls.mode !== 'MUTUAL') return
    if (tls.credentialName === '') return
    for (const field of files) {
      if (tls[field] !== '') yield [[field], 'cannot stand beside credentialName, whose secret holds all of it: remove one of them']
    }
  }),
  error(function* (tls) {
    if (tls.mode !== 'MUTUAL' || tls.credentialName !== '') return
    for (const field of ['clientCertificate', 'privateKey'] as const) {
      if (tls[field] === '') yield [[field], 'is required for mode MUTUAL without credentialName']
    }
  }),
  error(function* (tls) {
    if (tls.mode !== 'ISTIO_MUTUAL') return
    for (const field of ['clientCertificate', 'privateKey'] as const) {
      if (tls[field] !== '') yield [[field], 'cannot stand beside mode ISTIO_MUTUAL, which uses the certificates of the mesh: remove it']
    }
  }),
  error(function* ({ mode, insecureSkipVerify, caCertificates, credentialName, subjectAltNames }) {
    if (insecureSkipVerify !== true || (mode !== 'SIMPLE' && mode !== 'MUTUAL')) return
    const why = 'cannot stand beside insecureSkipVerify: true, which checks nothing: remove one of them'
    if (caCertificates !== '') yield [['caCertificates'], why]
    if (subjectAltNames.length > 0) yield [['subjectAltNames'], why]
    if (credentialName !== '' && mode === 'SIMPLE') yield [['credentialName'], why]
  }),
  warning(function* (tls) {
    if (tls.mode !== 'ISTIO_MUTUAL') return
    for (const field of ['caCertificates', 'caCrl', 'credentialName'] as const) {
      if (tls[field] !== '') yield [[field], 'has no effect with mode ISTIO_MUTUAL, which uses the certificates of the mesh']
    }
  }),
  warning(function* (tls) {
    if (tls.mode !== 'DISABLE') return
    for (const field of [...files, 'credentialName', 'sni'] as const) {
      if (tls[field] !== '') yield [[field], 'has no effect with mode DISABLE, which is also the mode when none is given']
    }
  }),
]
