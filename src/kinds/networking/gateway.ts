// Gateway: what a proxy at the edge listens on (traffic spec 1.4).
import { z } from 'zod'
import { labels } from '../fields/labels.ts'
import type { Frozen, Kind } from '../kind.ts'
import { gatewayRules } from './gateway-rules.ts'
import { serverTls } from './server-tls.ts'

const server = z.strictObject({
  port: z.strictObject({
    /** 0 with a unix domain socket only. */
    number: z.int().min(0).max(65535),
    name: z.string().min(1, 'must not be empty'),
    protocol: z.string().default(''),
    targetPort: z.int().optional(),
  }),
  bind: z.string().default(''),
  hosts: z.array(z.string()).min(1, 'must name at least one host'),
  tls: serverTls.optional(),
  name: z.string().default(''),
  defaultEndpoint: z.string().optional(),
})

const schema = z.strictObject({
  selector: labels.default({}),
  servers: z.array(server).min(1, 'must have at least one server'),
})

export type Gateway = z.infer<typeof schema>
export type GatewaySpec = Frozen<Gateway>
export type GatewayServer = z.infer<typeof server>

const http1 = 'only HTTP/1.1 is spoken'
const noFiles = 'certificates from files are never loaded, so every handshake is refused: put them into a secret and name it in credentialName'

export const gateway: Kind<Gateway> = {
  kind: 'Gateway',
  group: 'networking.istio.io',
  versions: ['v1', 'v1beta1', 'v1alpha3'],
  scope: 'Namespaced',
  body: 'spec',
  namedByLabel: true,
  schema,
  rules: gatewayRules,
  notServed: [
    { path: 'servers[].port.protocol', values: ['HTTP2', 'GRPC', 'GRPC-WEB'], instead: http1 },
    { path: 'servers[].port.protocol', values: ['HTTP_PROXY'], instead: 'it is a server of plain HTTP' },
    { path: 'servers[].bind', texts: { fit: /^unix:/, called: 'unix://...' }, instead: 'the server does not open' },
    { path: 'servers[].defaultEndpoint' },
    { path: 'servers[].tls.mode', values: ['PASSTHROUGH', 'AUTO_PASSTHROUGH'], instead: 'the server does not open' },
    { path: 'servers[].tls.serverCertificate', instead: noFiles },
    { path: 'servers[].tls.privateKey', instead: noFiles },
    { path: 'servers[].tls.caCertificates', instead: noFiles },
    { path: 'servers[].tls.caCrl', instead: 'revoked certificates are accepted' },
    { path: 'servers[].tls.credentialNames', instead: 'the server has no certificate' },
    { path: 'servers[].tls.caCertCredentialName', instead: 'clients are verified by the secret of credentialName' },
    { path: 'servers[].tls.tlsCertificates', instead: 'the server has no certificate' },
    { path: 'servers[].tls.verifyCertificateSpki', instead: 'certificates of clients are not pinned' },
    { path: 'servers[].tls.verifyCertificateHash', instead: 'certificates of clients are not pinned' },
    { path: 'servers[].tls.minProtocolVersion', values: ['TLSV1_0', 'TLSV1_1', 'TLSV1_3'], instead: 'it is TLS 1.2' },
    { path: 'servers[].tls.maxProtocolVersion', values: ['TLSV1_0', 'TLSV1_1', 'TLSV1_2'], instead: 'it is TLS 1.3' },
    { path: 'servers[].tls.cipherSuites', instead: 'the default ones are offered' },
    { path: 'servers[].tls.ecdhCurves', instead: 'the default ones are offered' },
  ],
  neverServed: [
    { path: 'servers[].port.targetPort', severity: 'error', message: 'has no effect at a Gateway: the Service of the gateway maps ports; remove it' },
  ],
}
