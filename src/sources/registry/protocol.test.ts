import assert from 'node:assert/strict'
import { test } from 'node:test'
import { protocolNamed, protocolOf } from './protocol.ts'

const cases: readonly (readonly [title: string, port: Partial<Parameters<typeof protocolOf>[0]>, protocol: string])[] = [
  ['a name that is a protocol', { name: 'http' }, 'HTTP'],
  ['a name that begins with one', { name: 'http-admin' }, 'HTTP'],
  ['a name in capitals', { name: 'GRPC-x' }, 'GRPC'],
  ['http2 is not http', { name: 'http2-x' }, 'HTTP2'],
  ['gRPC-Web has a dash of its own', { name: 'grpc-web' }, 'GRPC-Web'],
  ['gRPC-Web with a suffix', { name: 'grpc-web-ui' }, 'GRPC-Web'],
  ['grpc with a suffix that begins like web', { name: 'grpc-webby' }, 'GRPC'],
  ['a name that only contains a protocol', { name: 'my-http' }, 'auto'],
  ['a name that begins like a protocol', { name: 'httpx' }, 'auto'],
  ['no name', { name: '' }, 'auto'],
  ['a well-known port without a name', { name: '', number: 3306 }, 'TCP'],
  ['a well-known port with a name', { name: 'http', number: 3306 }, 'HTTP'],
  ['appProtocol before the name', { name: 'tcp-x', appProtocol: 'http' }, 'HTTP'],
  ["Kubernetes' h2c", { appProtocol: 'kubernetes.io/h2c' }, 'HTTP2'],
  ["Kubernetes' ws", { appProtocol: 'kubernetes.io/ws' }, 'HTTP'],
  ["Kubernetes' wss", { appProtocol: 'kubernetes.io/wss' }, 'HTTPS'],
  ['an appProtocol that nobody knows hides the name', { name: 'http', appProtocol: 'example.com/own' }, 'auto'],
  ['UDP is UDP, whatever it is called', { name: 'http', transport: 'UDP' }, 'UDP'],
  ['SCTP is left alone like UDP', { name: 'http', transport: 'SCTP' }, 'UDP'],
  ['names of an object are no protocols', { name: 'constructor' }, 'auto'],
]

for (const [title, port, protocol] of cases) {
  test(`protocol of a port: ${title}`, () => {
    assert.equal(protocolOf({ name: '', number: 8080, transport: 'TCP', ...port }), protocol)
  })
}

test('a ServiceEntry names its protocol in any case, or leaves it open', () => {
  assert.deepEqual(['HTTP', 'grpc', 'GRPC-Web', 'MySQL', 'UDP', ''].map(protocolNamed), ['HTTP', 'GRPC', 'GRPC-Web', 'MySQL', 'UDP', 'auto'])
})
