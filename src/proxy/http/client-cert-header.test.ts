import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import { HttpConnectionManager_ForwardClientCertDetails as ClientCert, HttpConnectionManagerSchema } from '../../proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import { clientCertElement, forwardedClientCert } from './client-cert-header.ts'
import { decodeManager } from './manager-config.ts'

const tls = { alpn: '', serverName: '', protocol: 'TLSv1.3', peerUris: ['spiffe://cluster.local/ns/a/sa/b'], peerDnsNames: ['a.b'], peerSubject: 'CN="x"', peerDigest: 'ab12', localUris: ['spiffe://me'] }
const config = (over: { cert?: boolean; subject?: boolean; dns?: boolean; uri?: boolean }) => decodeManager(create(HttpConnectionManagerSchema, { setCurrentClientCertDetails: over }))

test('the element names both ends as the certificates do', () => {
  assert.equal(clientCertElement(tls, config({ subject: true, dns: true, uri: true })), 'By=spiffe://me;Hash=ab12;Subject="CN=\\"x\\"";URI=spiffe://cluster.local/ns/a/sa/b;DNS=a.b')
  assert.equal(clientCertElement(tls, config({})), 'By=spiffe://me;Hash=ab12')
  const whole = clientCertElement({ ...tls, peerCertificate: Buffer.from('fb+/=') }, config({ cert: true, subject: true }))
  assert.equal(whole, 'By=spiffe://me;Hash=ab12;Cert="-----BEGIN%20CERTIFICATE-----%0AZmIrLz0%3D%0A-----END%20CERTIFICATE-----%0A";Subject="CN=\\"x\\""')
  assert.equal(clientCertElement({ ...tls, peerUris: [], peerDnsNames: [], peerSubject: '' }, config({ uri: true })), 'By=spiffe://me;Hash=ab12', 'a certificate without names')
  assert.equal(clientCertElement(undefined, config({ uri: true })), '')
  assert.equal(clientCertElement({ ...tls, peerUris: [], peerDnsNames: [], peerSubject: '', peerDigest: '' }, config({ uri: true })), '')
})

test('what a plaintext client says of itself goes on only where it is to be forwarded anyway', () => {
  const rows: [ClientCert, string | undefined, string, string | undefined][] = [
    [ClientCert.SANITIZE, 'x', 'e', undefined], [ClientCert.FORWARD_ONLY, 'x', 'e', 'x'], [ClientCert.FORWARD_ONLY, 'x', '', undefined],
    [ClientCert.APPEND_FORWARD, 'x', 'e', 'x,e'], [ClientCert.APPEND_FORWARD, undefined, 'e', 'e'], [ClientCert.APPEND_FORWARD, 'x', '', undefined],
    [ClientCert.SANITIZE_SET, 'x', 'e', 'e'], [ClientCert.SANITIZE_SET, 'x', '', undefined], [ClientCert.ALWAYS_FORWARD_ONLY, 'x', '', 'x'],
  ]
  for (const [mode, sent, element, expected] of rows) assert.equal(forwardedClientCert(mode, sent, element), expected, `${mode} ${sent} ${element}`)
})
