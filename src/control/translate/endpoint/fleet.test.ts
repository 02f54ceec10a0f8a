import assert from 'node:assert/strict'
import { test } from 'node:test'
import { resource, service, workload } from '../../../../test/support/bookinfo-world.ts'
import { fromBinary } from '@bufbuild/protobuf'
import { ClusterLoadAssignmentSchema } from '../../../proto/gen/envoy/config/endpoint/v3/endpoint_pb.ts'
import { meshSettings } from '../../mesh-settings.ts'
import { createSnapshot } from '../../snapshot.ts'
import type { World } from '../../snapshot.ts'
import { readProxyNode } from '../proxy-node.ts'
import { BuildCache } from '../translator.ts'
import { fleetEndpoints, fleetName } from './fleet.ts'

const at = (zone: string) => ({ locality: { region: 'r', zone, subzone: '' } })
const web1 = workload('web-1', '10.0.0.1', { app: 'web' }, at('z1'))
const web2 = workload('web-2', '10.0.0.2', { app: 'web' }, { ...at('z2'), ready: false })
const other = workload('other', '10.0.0.3', { app: 'other' }, at('z1'))
const client = { id: 'sidecar~10.0.0.1~web-1.default~x', locality: { region: 'r', zone: 'z1' } }

/** `address@zone`, with `!` when it is not healthy. */
function fleet(world: Partial<World>, node: Parameters<typeof readProxyNode>[0] = client): string[] | undefined {
  const snapshot = createSnapshot({ resources: [], services: [], workloads: [web1, web2, other], endpoints: [], mesh: meshSettings({ zoneAwareLbSetting: {} }), ...world })
  const proxy = readProxyNode(node)
  if (!fleetEndpoints.names(proxy, snapshot).includes(fleetName)) return undefined
  const built = fleetEndpoints.translate(proxy, snapshot, fleetName, new BuildCache())!
  return fromBinary(ClusterLoadAssignmentSchema, built.bytes).endpoints.flatMap(({ locality, lbEndpoints }) => lbEndpoints.map(({ hostIdentifier: { value }, healthStatus }) => {
    const address = typeof value === 'object' && value.address?.address.case === 'socketAddress' ? value.address.address.value.address : ''
    return `${address}@${locality?.zone}${healthStatus === 0 ? '' : '!'}`
  })).sort()
}

test('a proxy learns of those that its service selects, with their health and place', () => {
  assert.deepEqual(fleet({ services: [service('web', { selector: { app: 'web' } })] }), ['10.0.0.1@z1', '10.0.0.2@z2!'])
})

test('without a service those of the same owner count', () => {
  const owned = [web1, web2, other].map((one, i) => ({ ...one, workloadName: i === 0 ? 'web' : i === 1 ? 'other' : 'web' }))
  assert.deepEqual(fleet({ workloads: owned }), ['10.0.0.1@z1', '10.0.0.3@z1'])
})

test('nobody is told of it where nothing is balanced by zones, but who asks for it', () => {
  const quiet = { mesh: meshSettings(), services: [service('web', { selector: { app: 'web' } })] }
  assert.equal(fleet(quiet), undefined)
  assert.deepEqual(fleet(quiet, { ...client, metadata: { ENABLE_SELF_DISCOVERY: 'true' } }), ['10.0.0.1@z1', '10.0.0.2@z2!'])
  const rule = resource('DestinationRule', 'd', { host: 'web', trafficPolicy: { loadBalancer: { zoneAwareLbSetting: {} } } })
  assert.deepEqual(fleet({ ...quiet, resources: [rule] }), ['10.0.0.1@z1', '10.0.0.2@z2!'])
})
