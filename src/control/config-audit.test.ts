// What is written down of a change of the configuration.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Resource } from '../model/resource.ts'
import type { Service } from '../model/service.ts'
import type { AuditEvent } from '../telemetry/audit/events.ts'
import { ConfigAudit } from './config-audit.ts'

function resource(kind: string, name: string, spec: unknown, line = 1): Resource {
  const origin = { file: 'mesh.yaml', line, column: 1 }
  const metadata = { name, namespace: 'default', labels: {}, annotations: {}, creationTimestamp: undefined, generation: 1 }
  return { apiVersion: 'v1', kind, metadata, spec, origin, locate: () => origin }
}

test('what is new, what has another version and what has gone is written down, what is the same is not', () => {
  const events: AuditEvent[] = []
  const audit = new ConfigAudit((event) => events.push(event))
  const web = resource('VirtualService', 'web', { hosts: ['web'] })
  const api = resource('VirtualService', 'api', { hosts: ['api'] }, 9)
  const follow = (resources: readonly Resource[], generation: number): void => audit.follow({ resources, services: [], meshConfig: undefined }, generation)
  follow([web, api], 1)
  follow([web, api], 2)
  follow([web, resource('VirtualService', 'api', { hosts: ['api'] }, 9)], 2)
  follow([web, resource('VirtualService', 'api', { hosts: ['api', 'api2'] }, 9)], 3)
  follow([web], 4)
  assert.deepEqual(events.map((one) => 'origin' in one && [one.event, one.name, one.origin, one.generation]), [
    ['config-added', 'web', 'mesh.yaml:1', 1], ['config-added', 'api', 'mesh.yaml:9', 1],
    ['config-changed', 'api', 'mesh.yaml:9', 3], ['config-removed', 'api', 'mesh.yaml:9', 4],
  ])
  const hashes = events.map((one) => 'hash' in one && one.hash)
  assert.equal(new Set(hashes.slice(0, 3)).size, 3)
  assert.equal(hashes[3], hashes[2])
})

test('of a secret not even the hash is written down: what is short could be guessed by it', () => {
  const events: AuditEvent[] = []
  const audit = new ConfigAudit((event) => events.push(event))
  for (const password of ['aHVudGVyMg==', 'aHVudGVyMw==']) audit.follow({ resources: [resource('Secret', 'password', { data: { password } })], services: [], meshConfig: undefined }, 1)
  assert.deepEqual(events.map((one) => [one.event, 'hash' in one && one.hash]), [['config-added', ''], ['config-changed', '']])
  assert.doesNotMatch(JSON.stringify(events), /aHVudGVyMg/)
})

test('services and the mesh configuration count as configuration', () => {
  const events: AuditEvent[] = []
  const audit = new ConfigAudit((event) => events.push(event))
  const service = (line: number): Service => ({ name: 'web', namespace: 'default', hostname: 'web.default.svc', origin: { file: 'mesh.yaml', line, column: 1 } }) as Service
  audit.follow({ resources: [], services: [service(1)], meshConfig: undefined }, 1)
  audit.follow({ resources: [], services: [service(2)], meshConfig: { trustDomain: 'other' } }, 2)
  audit.follow({ resources: [], services: [service(2)], meshConfig: { trustDomain: 'mesh' } }, 3)
  assert.deepEqual(events.map((one) => 'kind' in one && [one.event, one.kind]), [['config-added', 'Service'], ['config-added', 'MeshConfig'], ['config-changed', 'MeshConfig']])
})
