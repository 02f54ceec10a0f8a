import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Service } from '../../model/service.ts'
import { Doors, maxDoors } from './doors.ts'

const service = (name: string, over: Partial<Service> = {}): Service => ({
  hostname: `${name}.default.svc.cluster.local`, name, namespace: 'default', registry: 'Kubernetes', addresses: ['10.0.0.1'],
  ports: [{ name: 'http', number: 80, protocol: 'HTTP', targetPort: 8080 }],
  resolution: 'client-side', meshExternal: false, exportTo: [], labels: {}, annotations: {}, selector: {}, aliasOf: undefined,
  subjectAltNames: [], creationTimestamp: 0, origin: { file: 'a.yaml', line: 1, column: 1 }, ...over,
})

const closeAll = (doors: Doors): void => {
  for (const { listen } of doors.taps) if ('server' in listen) listen.server.close()
}

test('each port of each service of the namespace has a door that stands for its virtual address', async () => {
  const doors = new Doors()
  const others = [service('elsewhere', { namespace: 'other' }), service('headless', { resolution: 'passthrough', addresses: [] }), service('external', { registry: 'External' })]
  await doors.update([service('reviews'), ...others], 'default')
  try {
    assert.deepEqual(doors.list.map((one) => one.service), ['reviews'])
    assert.deepEqual(doors.taps.map(({ originalDestination, authority }) => [originalDestination, authority]), [
      [{ host: '10.0.0.1', port: 80 }, 'reviews.default.svc.cluster.local:80'],
    ])
  } finally {
    closeAll(doors)
  }
})

test('a door stays the same object while its service stays, and keeps its port when the service moves', async () => {
  const doors = new Doors()
  await doors.update([service('reviews')], 'default')
  const [first] = doors.taps
  const at = doors.list[0]!.ports[0]!.at
  try {
    await doors.update([service('reviews')], 'default')
    assert.equal(doors.taps[0], first)
    await doors.update([service('reviews', { addresses: ['10.0.0.9'] })], 'default')
    assert.notEqual(doors.taps[0], first)
    assert.deepEqual(doors.taps[0]!.listen, { address: at })
    assert.equal(doors.list.length, 1)
  } finally {
    closeAll(doors)
    if (first !== undefined && 'server' in first.listen) first.listen.server.close()
  }
})

test('beyond the limit services get no door, and are counted', async () => {
  const doors = new Doors()
  const many = Array.from({ length: maxDoors + 3 }, (_, i) => service(`s${i}`))
  await doors.update(many, 'default')
  try {
    assert.deepEqual([doors.taps.length, doors.left], [maxDoors, 3])
  } finally {
    closeAll(doors)
  }
})
