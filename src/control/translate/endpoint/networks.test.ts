// Endpoints of other networks, by the gateways that stand before them.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bookinfo, endpoint, service, workload } from '../../../../test/support/bookinfo-world.ts'
import type { Endpoint, Service } from '../../../model/service.ts'
import { createSnapshot } from '../../snapshot.ts'
import { throughNetworks } from './networks.ts'

const shop = service('shop')
const at = (address: string, network: string, more: Partial<Endpoint> = {}): Endpoint =>
  endpoint(shop, workload(`shop-${address}`, address, { app: 'shop' }), { network, ...more })

const gateway = (network: string, addresses: readonly string[], port?: string): Service =>
  service(`gateway-${network}`, { externalAddresses: addresses, labels: { 'topology.istio.io/network': network, ...(port !== undefined && { 'networking.istio.io/gatewayPort': port }) } })

/** `address:port weight`, as a client in a network sees them. */
function seen(network: string, endpoints: readonly Endpoint[], ...gateways: readonly Service[]): readonly string[] {
  const snapshot = createSnapshot({ ...bookinfo(), services: [shop, ...gateways] })
  return throughNetworks(endpoints, true, { network }, snapshot).map(({ address, port, weight }) => `${address}:${port} ${weight}`)
}

const near = [at('10.0.0.1', 'n1'), at('10.0.0.2', 'n1'), at('10.0.0.3', 'n1')]

test('endpoints of the own network, of none, and of one that nobody knows are dialled', () => {
  const endpoints = [...near, at('10.0.0.4', ''), at('10.0.0.5', 'n3')]
  assert.deepEqual(seen('n1', endpoints, gateway('n2', ['192.0.2.1'])), ['10.0.0.1:9080 1', '10.0.0.2:9080 1', '10.0.0.3:9080 1', '10.0.0.4:9080 1', '10.0.0.5:9080 1'])
})

test('a client that is in no network dials everything', () => {
  assert.deepEqual(seen('', [at('10.0.0.9', 'n2')], gateway('n2', ['192.0.2.1'])), ['10.0.0.9:9080 1'])
})

test('a gateway stands for all healthy endpoints of its network that take mutual TLS', () => {
  const far = [at('10.1.0.1', 'n2'), at('10.1.0.2', 'n2'), at('10.1.0.3', 'n2', { mutualTls: false }), at('10.1.0.4', 'n2', { health: 'unhealthy' })]
  assert.deepEqual(seen('n1', [...near, ...far], gateway('n2', ['192.0.2.1'])), ['10.0.0.1:9080 1', '10.0.0.2:9080 1', '10.0.0.3:9080 1', '192.0.2.1:15443 2'])
})

test('each network keeps its share, however many gateways it has', () => {
  const far = [at('10.1.0.1', 'n2'), at('10.2.0.1', 'n3', { weight: 4 })]
  const found = seen('n1', [near[0]!, ...far], gateway('n2', ['192.0.2.1', '192.0.2.2'], '443'), gateway('n3', ['192.0.2.3', '192.0.2.4', '192.0.2.5']))
  assert.deepEqual(found, ['10.0.0.1:9080 6', '192.0.2.1:443 3', '192.0.2.2:443 3', '192.0.2.3:15443 8', '192.0.2.4:15443 8', '192.0.2.5:15443 8'])
})

test('places stay apart, so that the nearest is still used first', () => {
  const zone = (name: string) => ({ region: 'r', zone: name, subzone: '' })
  const far = [at('10.1.0.1', 'n2', { locality: zone('a') }), at('10.1.0.2', 'n2', { locality: zone('b') }), at('10.1.0.3', 'n2', { locality: zone('b') })]
  assert.deepEqual(seen('n1', far, gateway('n2', ['192.0.2.1'])), ['192.0.2.1:15443 1', '192.0.2.1:15443 2'])
})

test('a client that does not speak mutual TLS to a service has none of what stands behind gateways', () => {
  const snapshot = createSnapshot({ ...bookinfo(), services: [shop, gateway('n2', ['192.0.2.1'])] })
  const found = throughNetworks([near[0]!, at('10.1.0.1', 'n2')], false, { network: 'n1' }, snapshot)
  assert.deepEqual(found.map(({ address }) => address), ['10.0.0.1'])
})

test('without a gateway address there is no gateway', () => {
  assert.deepEqual(seen('n1', [at('10.1.0.1', 'n2')], gateway('n2', [])), ['10.1.0.1:9080 1'])
})
