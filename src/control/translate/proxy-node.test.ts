// Node ids are what strangers call themselves: they go into logs, pages and keys.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readProxyNode } from './proxy-node.ts'

test('a node id of the longest names that Kubernetes allows is read', () => {
  const id = `sidecar~2001:db8:85a3::8a2e:370:7334~${'p'.repeat(253)}.${'n'.repeat(63)}~${'n'.repeat(63)}.svc.${'d'.repeat(253)}`
  assert.equal(readProxyNode({ id }).namespace, 'n'.repeat(63))
})

for (const [title, id] of [
  ['longer than any name', `sidecar~10.0.0.1~${'p'.repeat(5000)}.default~default.svc.cluster.local`],
  ['of several lines', 'sidecar~10.0.0.1~web.default~x\nADS: another line of the log'],
  ['with codes for a terminal', 'sidecar~10.0.0.1~web.default~\u001b[2J'],
  ['of another form', 'web.default'],
] as const) {
  test(`a node id ${title} is refused, and the message is short and of one line`, () => {
    assert.throws(() => readProxyNode({ id }), (error: Error & { readonly code: string }) => error.code === 'control/bad-node' && error.message.length < 400 && /^[\x20-\x7e]*$/.test(error.message))
  })
}
