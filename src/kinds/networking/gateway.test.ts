// Every rule of a Gateway: what is refused, what is warned of, and the twin that is fine.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findingsIn, testKind } from '../../../test/support/kind-cases.ts'
import type { KindCase } from '../../../test/support/kind-cases.ts'

const http = { port: { number: 80, name: 'http', protocol: 'HTTP' }, hosts: ['*'] }
const https = (tls?: object) => ({ port: { number: 443, name: 'https', protocol: 'HTTPS' }, hosts: ['*'], ...(tls === undefined ? {} : { tls }) })

const gateway = {
  apiVersion: 'networking.istio.io/v1',
  kind: 'Gateway',
  spec: { selector: { istio: 'ingressgateway' }, servers: [http] },
}

const tls = (value: object, twin: object, at: string, message: string, title: string, severity: 'error' | 'warning' = 'error'): KindCase =>
  ({ title, severity, change: ['servers[0]', https(value)], path: `servers[0].tls${at}`, message, twin: ['servers[0]', https(twin)] })
const port = (change: object, twin: object, at: string, message: string, title: string, more: object = {}): KindCase => ({
  title, path: `servers[0].port.${at}`, message,
  change: ['servers[0]', { ...http, ...more, port: { ...http.port, ...change } }],
  twin: ['servers[0]', { ...http, ...more, port: { ...http.port, ...twin } }],
})

const meshCertificates = 'cannot stand beside mode ISTIO_MUTUAL, which uses the certificates of the mesh: remove it'
const otherHalf = 'is required beside the other half of the certificate'
const files = { serverCertificate: '/cert', privateKey: '/key' }

testKind(gateway, [
  { title: 'a name that is no DNS label', change: ['metadata.name', 'a.b'], message: `a Gateway is named by a DNS label (letters, digits and '-', at most 63), not "a.b"`, twin: ['metadata.name', 'a-b'] },
  { title: 'no server', change: ['servers', []], message: 'must have at least one server', twin: ['servers', [http]] },
  { title: 'a server without hosts', change: ['servers[0].hosts', []], message: 'must name at least one host', twin: ['servers[0].hosts', ['*.a.com', 'shop/a.com', './b.com', '*/c.com', '10.0.0.1']] },
  { title: 'a short name', change: ['servers[0].hosts', ['reviews']], path: 'servers[0].hosts[0]', message: '"reviews" is a short name: a Gateway needs the full name of the host', twin: ['servers[0].hosts', ['reviews.shop']] },
  { title: 'a wildcard that is part of a label', change: ['servers[0].hosts', ['*-a.com']], path: 'servers[0].hosts[0]', message: '"*-a.com": a wildcard must be a whole label, such as *.example.com', twin: ['servers[0].hosts', ['*.a.com']] },
  { title: 'a host that is no name', change: ['servers[0].hosts', ['a_b.com']], path: 'servers[0].hosts[0]', message: '"a_b.com" is no host name: "a_b" is not a DNS label', twin: ['servers[0].hosts', ['shop/*']] },
  { title: 'a namespace that is none', change: ['servers[0].hosts', ['~/a.com']], path: 'servers[0].hosts[0]', message: '"~" is neither "*", "." nor the name of a namespace: write NAMESPACE/HOST', twin: ['servers[0].hosts', ['./a.com']] },
  { title: 'a port name twice', change: ['servers', [http, { ...http, port: { ...http.port, number: 81 } }]], path: 'servers[1].port.name', message: 'port name http is there twice: names are unique in a Gateway', twin: ['servers', [http, { ...http, port: { ...http.port, number: 81, name: 'other' } }]] },
  port({ name: '' }, { name: 'a' }, 'name', 'must not be empty', 'a port without a name'),
  port({ protocol: 'SPDY' }, { protocol: 'http' }, 'protocol', '"SPDY" is not a protocol: it is one of HTTP, HTTP2, HTTP_PROXY, GRPC, GRPC-WEB, HTTPS, TLS, TCP, MONGO, REDIS, MYSQL, UDP', 'a protocol that is none'),
  port({ protocol: undefined }, { protocol: 'TCP' }, 'protocol', 'is required: HTTP, HTTPS, TLS, TCP...', 'a port without a protocol'),
  port({ number: 0 }, { number: 65_535 }, 'number', 'must be 1 to 65535; 0 is for a bind to a unix:// socket', 'a port 0'),
  port({ number: 80 }, { number: 0 }, 'number', 'must be 0, since bind is a unix:// socket', 'a port of a unix socket', { bind: 'unix:///run/a' }),
  port({ targetPort: 8080 }, {}, 'targetPort', 'has no effect at a Gateway: the Service of the gateway maps ports; remove it', 'a target port'),
  { title: 'a bind to a name', change: ['servers[0].bind', 'localhost'], message: '"localhost" is neither an IP address nor unix:///path/of/socket', twin: ['servers[0].bind', '::1'] },
  { title: 'a relative socket', change: ['servers[0]', { ...http, bind: 'unix://run/a', port: { ...http.port, number: 0 } }], path: 'servers[0].bind', message: '"unix://run/a" is not the absolute path of a socket: write unix:///path/of/socket', twin: ['servers[0]', { ...http, bind: 'unix://@a', port: { ...http.port, number: 0 } }] },
  { title: 'HTTPS without tls', change: ['servers[0]', https()], path: 'servers[0].tls', message: 'is required for a server of protocol HTTPS', twin: ['servers[0]', https({ mode: 'SIMPLE', credentialName: 'a' })] },
  { title: 'certificates at a server of plain HTTP', change: ['servers[0].tls', { mode: 'SIMPLE', credentialName: 'a' }], message: 'cannot be at a server of protocol HTTP, but for httpsRedirect: use HTTPS', twin: ['servers[0].tls', { httpsRedirect: true }] },
  { title: 'tls at a server of TCP', change: ['servers[0]', { ...http, port: { ...http.port, protocol: 'TCP' }, tls: { mode: 'SIMPLE', credentialName: 'a' } }], path: 'servers[0].tls', message: 'cannot be at a server of protocol TCP: use TLS, or HTTPS for HTTP in it', twin: ['servers[0]', { ...http, port: { ...http.port, protocol: 'TLS' }, tls: { mode: 'SIMPLE', credentialName: 'a' } }] },
  tls({ mode: 'SIMPLE', credentialName: 'a', httpsRedirect: true }, { mode: 'SIMPLE', credentialName: 'a' }, '.httpsRedirect', 'has an effect at a server of protocol HTTP only, not at HTTPS', 'a redirect to HTTPS at HTTPS', 'warning'),

  tls({ mode: 'ISTIO_MUTUAL', credentialName: 'a' }, { mode: 'ISTIO_MUTUAL' }, '.credentialName', meshCertificates, 'a secret for mTLS of the mesh'),
  tls({ mode: 'ISTIO_MUTUAL', caCertificates: '/a' }, { mode: 'ISTIO_MUTUAL', subjectAltNames: ['a'] }, '.caCertificates', meshCertificates, 'roots for mTLS of the mesh'),
  tls({ mode: 'ISTIO_MUTUAL', credentialNames: ['a'] }, { mode: 'ISTIO_MUTUAL' }, '.credentialNames', meshCertificates, 'secrets for mTLS of the mesh'),
  tls({ mode: 'SIMPLE' }, { mode: 'SIMPLE', ...files }, '', 'mode SIMPLE needs a certificate: give credentialName, or serverCertificate and privateKey', 'TLS without a certificate'),
  tls({ mode: 'MUTUAL' }, { mode: 'MUTUAL', credentialName: 'a' }, '', 'mode MUTUAL needs a certificate: give credentialName, or serverCertificate and privateKey', 'mutual TLS without a certificate'),
  tls({ mode: 'SIMPLE', credentialName: 'a', credentialNames: ['a'] }, { mode: 'SIMPLE', credentialNames: ['a', 'b'] }, '.credentialNames', 'is a second certificate beside credentialName: keep one source', 'two lists of secrets'),
  tls({ mode: 'SIMPLE', credentialName: 'a', ...files }, { mode: 'SIMPLE', ...files }, '.serverCertificate', 'is a second certificate beside credentialName: keep one source', 'a secret and files'),
  tls({ mode: 'SIMPLE', credentialNames: ['a', 'b', 'c'] }, { mode: 'SIMPLE', credentialNames: ['a'] }, '.credentialNames', 'must have at most 2 entries', 'three secrets'),
  tls({ mode: 'SIMPLE', serverCertificate: '/a' }, { mode: 'SIMPLE', ...files }, '.privateKey', otherHalf, 'a certificate without its key'),
  tls({ mode: 'SIMPLE', tlsCertificates: [{ privateKey: '/a' }] }, { mode: 'SIMPLE', tlsCertificates: [files] }, '.tlsCertificates[0].serverCertificate', otherHalf, 'a key without its certificate'),
  tls({ mode: 'MUTUAL', ...files }, { mode: 'MUTUAL', ...files, caCertificates: '/ca' }, '.caCertificates', 'is required for mode MUTUAL with certificates from files: by it clients are verified', 'mutual TLS without roots'),
  tls({ mode: 'OPTIONAL_MUTUAL', ...files }, { mode: 'OPTIONAL_MUTUAL', ...files, caCertificates: '/ca' }, '.caCertificates', 'is required for mode OPTIONAL_MUTUAL with certificates from files: by it clients are verified', 'optional mutual TLS without roots'),
  tls({ mode: 'MUTUAL', credentialName: 'a', caCrl: '/crl' }, { mode: 'MUTUAL', ...files, caCertificates: '/ca', caCrl: '/crl' }, '.caCrl', 'cannot stand beside credentialName: put the list into the secret, as ca.crl', 'a revocation list beside a secret'),
  tls({ mode: 'SIMPLE', ...files, caCrl: '/crl' }, { mode: 'SIMPLE', ...files }, '.caCrl', 'has no effect with mode SIMPLE, where clients have no certificate: remove it', 'a revocation list without clients'),
  tls({ mode: 'PASSTHROUGH', credentialName: 'a' }, { mode: 'PASSTHROUGH' }, '.credentialName', 'has no effect with mode PASSTHROUGH, which does not end TLS', 'a secret for TLS that is passed through', 'warning'),
  tls({ mode: 'AUTO_PASSTHROUGH', tlsCertificates: [files] }, { mode: 'AUTO_PASSTHROUGH' }, '.tlsCertificates', 'has no effect with mode AUTO_PASSTHROUGH, which does not end TLS', 'certificates for TLS that is passed through', 'warning'),
  tls({ mode: 'SIMPLE', credentialName: 'sds://x' }, { mode: 'SIMPLE', credentialName: 'builtin://' }, '.credentialName', 'certificates of another SDS server are not served yet: put them into a Secret and name that', 'a credential of another server', 'warning'),
  tls({ mode: 'SIMPLE', credentialNames: ['a', 'vault://b'] }, { mode: 'SIMPLE', credentialNames: ['a', 'kubernetes://b'] }, '.credentialNames[1]', 'vault:// is no kind of credential: name a Secret', 'a credential of an unknown kind', 'warning'),
  tls({ mode: 'MUTUAL', credentialName: 'a', caCertCredentialName: 'configmap://a/b' }, { mode: 'MUTUAL', credentialName: 'a', caCertCredentialName: 'kubernetes://a/b' }, '.caCertCredentialName', 'roots in a ConfigMap are not served yet: put ca.crt into a Secret and name that', 'roots in a ConfigMap', 'warning'),
  tls({ mode: 'SIMPLE', credentialName: 'kubernetes://a/b/c' }, { mode: 'SIMPLE', credentialName: 'kubernetes://a/b' }, '.credentialName', 'must be kubernetes://NAME or kubernetes://NAMESPACE/NAME', 'a credential with too many names', 'warning'),
  tls({ mode: 'SIMPLE', credentialName: 'a', minProtocolVersion: 'TLSV1_1' }, { mode: 'SIMPLE', credentialName: 'a', minProtocolVersion: 'TLSV1_1', cipherSuites: ['AES128-SHA'] }, '.minProtocolVersion', 'TLSV1_1 needs cipherSuites: none of the default ones is for versions below TLSV1_2', 'an old version without ciphers', 'warning'),
  tls({ mode: 'SIMPLE', credentialName: 'a', minProtocolVersion: 'TLSV1_3', maxProtocolVersion: 'TLSV1_2' }, { mode: 'SIMPLE', credentialName: 'a', maxProtocolVersion: 'TLSV1_2' }, '.maxProtocolVersion', 'TLSV1_2 is below minProtocolVersion TLSV1_3: no client can agree to both', 'versions in the wrong order', 'warning'),
  tls({ mode: 'SIMPLE', credentialName: 'a', cipherSuites: ['ROT13'] }, { mode: 'SIMPLE', credentialName: 'a', cipherSuites: ['AES256-SHA'] }, '.cipherSuites[0]', 'ROT13 is not a known cipher suite: it is left out', 'a cipher that is none', 'warning'),
  tls({ mode: 'SIMPLE', credentialName: 'a', cipherSuites: ['AES256-SHA', 'AES256-SHA'] }, { mode: 'SIMPLE', credentialName: 'a', cipherSuites: ['AES256-SHA', 'AES128-SHA'] }, '.cipherSuites[1]', 'AES256-SHA is there twice: remove one', 'a cipher twice', 'warning'),
  { title: 'an endpoint of a server', severity: 'warning', change: ['servers[0].defaultEndpoint', '127.0.0.1:80'], message: 'is ignored, by Istio too: routes say where requests go', twin: ['servers[0].name', 'x'] },
  { title: 'a selector that is no label', change: ['selector', { a: '*' }], path: 'selector.a', message: '"*" is not a label value', twin: ['selector', {}] },
])

test('Gateway: certificates from files, ciphers, TLS that is passed through and sockets are fine without a word', () => {
  for (const tls of [{ mode: 'SIMPLE', ...files }, { mode: 'SIMPLE', credentialName: 'a', cipherSuites: ['AES256-SHA'] }, { mode: 'AUTO_PASSTHROUGH' }]) {
    assert.deepEqual(findingsIn(gateway, [['servers[0]', https(tls)]]), [])
  }
  assert.deepEqual(findingsIn(gateway, [['servers[0]', { ...http, bind: 'unix:///a', port: { ...http.port, number: 0 } }]]), [])
})
