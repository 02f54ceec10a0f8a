// Every rule of a Sidecar: what is refused, what is warned of, and the twin that is fine.
import { testKind } from '../../../test/support/kind-cases.ts'

const sidecar = {
  apiVersion: 'networking.istio.io/v1',
  kind: 'Sidecar',
  spec: { egress: [{ hosts: ['./*', 'istio-system/*'] }] },
}

const ingress = (change: object = {}, port: object = {}) => [{ port: { number: 9080, protocol: 'HTTP', name: 'http', ...port }, defaultEndpoint: '127.0.0.1:8080', ...change }]
const egress = (change: object = {}, port: object = {}) => [{ port: { number: 9080, protocol: 'HTTP', name: 'http', ...port }, hosts: ['./*'], ...change }, { hosts: ['*/a.com'] }]
const files = { serverCertificate: '/a', privateKey: '/b' }
const where = `is not where an application can listen: write 127.0.0.1:PORT, [::1]:PORT, 0.0.0.0:PORT, [::]:PORT (both: the Pod's own address) or unix:///path`
const portName = `is not the name of a port: letters, digits and '-', at most 63`
const noTargetPort = 'has no effect at a Sidecar: use defaultEndpoint for where connections go; remove it'

testKind(sidecar, [
  { title: 'nothing at all', change: ['egress', undefined], path: '', message: 'a Sidecar needs at least one of egress, ingress, outboundTrafficPolicy and inboundConnectionPool', twin: [['egress', undefined], ['outboundTrafficPolicy', {}]] },
  { title: 'a selector of everything', severity: 'warning', change: ['workloadSelector', { labels: {} }], message: 'selects every workload of the namespace, since it has no labels', twin: ['workloadSelector', { labels: { app: 'a' } }] },
  { title: 'a port of ingress twice', change: ['ingress', [...ingress(), ...ingress()]], path: 'ingress[1].port.number', message: 'the port 9080 is there twice: remove one', twin: ['ingress', [...ingress(), ...ingress({}, { number: 9081 })]] },
  { title: 'a port 0 of ingress', change: ['ingress', ingress({}, { number: 0 })], path: 'ingress[0].port.number', message: 'must be 1 to 65535', twin: ['ingress', ingress()] },
  { title: 'a port name of ingress that is none', change: ['ingress', ingress({}, { name: 'a_b' })], path: 'ingress[0].port.name', message: `"a_b" ${portName}`, twin: ['ingress', ingress({}, { name: '' })] },
  { title: 'a protocol of ingress that is none', change: ['ingress', ingress({}, { protocol: 'X' })], path: 'ingress[0].port.protocol', message: '"X" is not a protocol: it is one of HTTP, HTTP2, HTTP_PROXY, GRPC, GRPC-WEB, HTTPS, TLS, TCP, MONGO, REDIS, MYSQL, UDP', twin: ['ingress', ingress({}, { protocol: '' })] },
  { title: 'a target port of ingress', change: ['ingress', ingress({}, { targetPort: 1 })], path: 'ingress[0].port.targetPort', message: noTargetPort, twin: ['ingress', ingress()] },
  { title: 'ingress at a socket', change: ['ingress', ingress({ bind: 'unix:///a' })], path: 'ingress[0].bind', message: '"unix:///a" is a unix socket: what comes from others comes to an IP address', twin: ['ingress', ingress({ bind: '10.0.0.1' })] },
  { title: 'ingress at a name', change: ['ingress', ingress({ bind: 'a' })], path: 'ingress[0].bind', message: '"a" is neither an IP address nor unix:///path/of/socket', twin: ['ingress', ingress({ bind: '::' })] },
  { title: 'an application on another host', change: ['ingress', ingress({ defaultEndpoint: '10.0.0.1:80' })], path: 'ingress[0].defaultEndpoint', message: `"10.0.0.1:80" ${where}`, twin: ['ingress', ingress({ defaultEndpoint: '[::1]:80' })] },
  { title: 'an application without a port', change: ['ingress', ingress({ defaultEndpoint: '127.0.0.1' })], path: 'ingress[0].defaultEndpoint', message: `"127.0.0.1" ${where}`, twin: ['ingress', ingress({ defaultEndpoint: '0.0.0.0:80' })] },
  { title: 'an application at port 0', change: ['ingress', ingress({ defaultEndpoint: '127.0.0.1:0' })], path: 'ingress[0].defaultEndpoint', message: '"127.0.0.1:0": the port must be 1 to 65535', twin: ['ingress', ingress({ defaultEndpoint: ':80' })] },
  { title: 'an application at a relative socket', change: ['ingress', ingress({ defaultEndpoint: 'unix://a' })], path: 'ingress[0].defaultEndpoint', message: '"unix://a" is not the absolute path of a socket: write unix:///path/of/socket', twin: ['ingress', ingress({ defaultEndpoint: 'unix:///a' })] },
  { title: 'names of clients', change: ['ingress', ingress({ tls: { mode: 'SIMPLE', ...files, subjectAltNames: ['a'] } })], path: 'ingress[0].tls.subjectAltNames', message: 'is not supported at a Sidecar: remove it', twin: ['ingress', ingress({ tls: { mode: 'SIMPLE', ...files } })] },
  { title: 'a redirect to HTTPS', change: ['ingress', ingress({ tls: { mode: 'SIMPLE', ...files, httpsRedirect: true } })], path: 'ingress[0].tls.httpsRedirect', message: 'is not supported at a Sidecar: remove it', twin: ['ingress', ingress({ tls: { mode: 'SIMPLE', ...files } })] },
  { title: 'a secret', change: ['ingress', ingress({ tls: { mode: 'SIMPLE', credentialName: 'a' } })], path: 'ingress[0].tls.credentialName', message: 'is not supported at a Sidecar: give serverCertificate and privateKey', twin: ['ingress', ingress({ tls: { mode: 'SIMPLE', ...files } })] },
  { title: 'mTLS of the mesh as its own', change: ['ingress', ingress({ tls: { mode: 'ISTIO_MUTUAL' } })], path: 'ingress[0].tls.mode', message: 'ISTIO_MUTUAL is not supported at a Sidecar: use SIMPLE, MUTUAL or OPTIONAL_MUTUAL', twin: ['ingress', ingress({ tls: { mode: 'MUTUAL', ...files, caCertificates: '/c' } })] },
  { title: 'mistakes in its tls', change: ['ingress', ingress({ tls: { mode: 'MUTUAL', ...files } })], path: 'ingress[0].tls.caCertificates', message: 'is required for mode MUTUAL with certificates from files: by it clients are verified', twin: ['ingress', ingress()] },
  { title: 'a pool of nothing at a port', change: ['ingress', ingress({ connectionPool: {} })], path: 'ingress[0].connectionPool', message: 'needs tcp or http', twin: ['ingress', ingress({ connectionPool: { http: { http1MaxPendingRequests: 1 } } })] },
  { title: 'a pool of HTTP at a port of TCP', severity: 'warning', change: ['ingress', ingress({ connectionPool: { http: { http1MaxPendingRequests: 1 } } }, { protocol: 'TCP' })], path: 'ingress[0].connectionPool.http', message: 'has no effect at a port of protocol TCP: only tcp counts there', twin: ['ingress', ingress({ connectionPool: { tcp: { maxConnections: 1 } } }, { protocol: 'TCP' })] },
  { title: 'a pool of nothing', change: ['inboundConnectionPool', {}], message: 'needs tcp or http', twin: ['inboundConnectionPool', { tcp: { maxConnections: 1 } }] },

  { title: 'a listener for the rest that is not the last', change: ['egress', [{ hosts: ['./*'] }, ...egress().slice(0, 1)]], path: 'egress[0]', message: 'has no port, so it takes all that is left: there can be one such listener, and it must be the last', twin: ['egress', egress()] },
  { title: 'a port of egress twice', change: ['egress', [...egress().slice(0, 1), ...egress().slice(0, 1)]], path: 'egress[1].port', message: 'the listener 9080 is there twice: ports and unix sockets are unique', twin: ['egress', [...egress().slice(0, 1), ...egress({}, { number: 9081 })]] },
  { title: 'a listener without hosts', change: ['egress', [{ hosts: [] }]], path: 'egress[0].hosts', message: 'must name at least one host', twin: ['egress', [{ hosts: ['~/*'] }]] },
  { title: 'a host without a namespace', change: ['egress', [{ hosts: ['a.com'] }]], path: 'egress[0].hosts[0]', message: '"a.com" must be NAMESPACE/HOST: */HOST for any namespace, ./HOST for this one', twin: ['egress', [{ hosts: ['*/a.com', '~shop/b.com'] }]] },
  { title: 'a namespace that is none', change: ['egress', [{ hosts: ['a_b/a.com'] }]], path: 'egress[0].hosts[0]', message: '"a_b/a.com": "a_b" is neither "*", ".", "~" nor the name of a namespace', twin: ['egress', [{ hosts: ['a/a.com'] }]] },
  { title: 'a short name', change: ['egress', [{ hosts: ['a/reviews'] }]], path: 'egress[0].hosts[0]', message: '"a/reviews": "reviews" is a short name; a Sidecar needs the full name of the host', twin: ['egress', [{ hosts: ['a/reviews.a.svc.cluster.local'] }]] },
  { title: 'a wildcard that is part of a label', change: ['egress', [{ hosts: ['a/*-b.com'] }]], path: 'egress[0].hosts[0]', message: '"a/*-b.com": a wildcard must be a whole label, such as *.example.com', twin: ['egress', [{ hosts: ['a/*.b.com'] }]] },
  { title: 'a host that is no name', change: ['egress', [{ hosts: ['a/b_c.com'] }]], path: 'egress[0].hosts[0]', message: '"b_c.com" is no host name: "b_c" is not a DNS label', twin: ['egress', [{ hosts: ['a/b-c.com'] }]] },
  { title: 'a host twice', severity: 'warning', change: ['egress', [{ hosts: ['shop/a.com', './a.com'] }]], path: 'egress[0].hosts[1]', message: './a.com is there twice: remove one', twin: ['egress', [{ hosts: ['shop/a.com', 'other/a.com'] }]] },
  { title: 'a host of a namespace that is there as a whole', severity: 'warning', change: ['egress', [{ hosts: ['./*', './a.com'] }]], path: 'egress[0].hosts[1]', message: './a.com is part of shop/*, which is there too: remove it', twin: ['egress', [{ hosts: ['./*', 'other/a.com'] }]] },
  { title: 'a host beside all hosts', severity: 'warning', change: ['egress', [{ hosts: ['*/*', 'other/a.com'] }]], path: 'egress[0].hosts[1]', message: 'other/a.com is part of */*, which is there too: remove it', twin: ['egress', [{ hosts: ['*/*'] }]] },
  { title: 'a port name of egress that is none', change: ['egress', egress({}, { name: 'a.b' })], path: 'egress[0].port.name', message: `"a.b" ${portName}`, twin: ['egress', egress({}, { name: 'a' })] },
  { title: 'a target port of egress', change: ['egress', egress({}, { targetPort: 1 })], path: 'egress[0].port.targetPort', message: noTargetPort, twin: ['egress', egress()] },
  { title: 'a port 0 without a socket', change: ['egress', egress({}, { number: 0 })], path: 'egress[0].bind', message: 'must be unix:///path, since the port is 0', twin: ['egress', egress({ bind: 'unix:///a' }, { number: 0 })] },
  { title: 'a relative socket', change: ['egress', egress({ bind: 'unix://a' }, { number: 0 })], path: 'egress[0].bind', message: '"unix://a" is not the absolute path of a socket: write unix:///path/of/socket', twin: ['egress', egress({ bind: 'unix://@a' }, { number: 0 })] },
  { title: 'a captured socket', change: ['egress', egress({ bind: 'unix:///a', captureMode: 'IPTABLES' }, { number: 0 })], path: 'egress[0].captureMode', message: 'must be DEFAULT or NONE for a unix socket', twin: ['egress', egress({ bind: 'unix:///a', captureMode: 'NONE' }, { number: 0 })] },
  { title: 'a socket with a port', change: ['egress', egress({ bind: 'unix:///a' })], path: 'egress[0].bind', message: '"unix:///a" is a unix socket, whose port is 0', twin: ['egress', egress({ bind: '127.0.0.1' })] },
  { title: 'egress at a name', change: ['egress', egress({ bind: 'a' })], path: 'egress[0].bind', message: '"a" is neither an IP address nor unix:///path/of/socket', twin: ['egress', egress({ bind: '::1' })] },
  { title: 'a proxy for what is refused', change: ['outboundTrafficPolicy', { egressProxy: { host: 'a.com', port: { number: 80 } } }], path: 'outboundTrafficPolicy.egressProxy', message: 'needs mode ALLOW_ANY: it is where traffic to unknown hosts goes', twin: ['outboundTrafficPolicy', { mode: 'ALLOW_ANY', egressProxy: { host: 'a.com', port: { number: 80 } } }] },
  { title: 'a proxy by a wildcard', change: ['outboundTrafficPolicy', { mode: 'ALLOW_ANY', egressProxy: { host: '*.a.com', port: { number: 80 } } }], path: 'outboundTrafficPolicy.egressProxy.host', message: '"*.a.com" must be the full name of a host', twin: ['outboundTrafficPolicy', { mode: 'ALLOW_ANY' }] },
  { title: 'a proxy without a port', change: ['outboundTrafficPolicy', { mode: 'ALLOW_ANY', egressProxy: { host: 'a.com' } }], path: 'outboundTrafficPolicy.egressProxy.port', message: 'is required', twin: ['outboundTrafficPolicy', { mode: 'REGISTRY_ONLY' }] },
])
