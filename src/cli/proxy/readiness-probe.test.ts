import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readReadinessProbe } from './readiness-probe.ts'

function read(text: string) {
  const mistakes: string[] = []
  return { probe: readReadinessProbe(text, mistakes), mistakes }
}

test('a probe of this machine is that of a WorkloadGroup, with its defaults', () => {
  assert.deepEqual(read('{"httpGet":{"path":"health","port":8080,"scheme":"HTTPS","httpHeaders":[{"name":"a","value":"b"}]}}').probe, {
    initialDelayMs: 0, periodMs: 10_000, timeoutMs: 1_000, successThreshold: 1, failureThreshold: 3,
    method: { kind: 'http', host: '', port: 8080, path: '/health', tls: true, headers: [['a', 'b']] },
  })
  assert.deepEqual(read('{"periodSeconds":2,"timeoutSeconds":3,"initialDelaySeconds":4,"successThreshold":5,"failureThreshold":6,"tcpSocket":{"port":80}}').probe, {
    initialDelayMs: 4_000, periodMs: 2_000, timeoutMs: 3_000, successThreshold: 5, failureThreshold: 6, method: { kind: 'tcp', host: '', port: 80 },
  })
  assert.deepEqual(read('{"exec":{"command":["true"]}}').probe?.method, { kind: 'exec', command: ['true'] })
})

for (const [text, says] of [
  ['{', /--readiness-probe \(readinessProbe\): is no JSON/],
  ['{}', /must have one of httpGet, tcpSocket and exec/],
  ['{"exec":{},"tcpSocket":{"port":1}}', /must have one of/],
  ['{"tcpSocket":{"port":"http"}}', /tcpSocket\.port/],
] as const) {
  test(`${text} is no probe`, () => {
    const { probe, mistakes } = read(text)
    assert.equal(probe, undefined)
    assert.match(mistakes.join(), says)
  })
}
