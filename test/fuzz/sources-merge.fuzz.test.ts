// A merger that has seen other worlds before gives what a fresh one gives: nothing it remembers is stale.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { assemble } from '../../src/sources/files/assemble.ts'
import { parseText } from '../../src/sources/files/load.ts'
import type { Content } from '../../src/sources/files/load.ts'
import { WorldMerger } from '../../src/sources/merge.ts'
import type { SourceState } from '../../src/sources/source.ts'

const name = fc.constantFrom('a', 'b', 'c')
const namespace = fc.constantFrom('default', 'other')
const labels = fc.record({ app: fc.constantFrom('x', 'y'), v: fc.constantFrom('1', '2') }, { requiredKeys: ['app'] })
const address = fc.constantFrom('1.1.1.1', '1.1.1.2', '127.0.0.1', '10.96.0.1')
const metadata = fc.record({ name, namespace, labels }, { requiredKeys: ['name', 'labels'] })

function object(apiVersion: string, kind: string, body: fc.Arbitrary<object>): fc.Arbitrary<object> {
  return fc.tuple(metadata, body).map(([meta, rest]) => ({ apiVersion, kind, metadata: meta, ...rest }))
}

const networking = 'networking.istio.io/v1'
const entryPorts = fc.constantFrom([{ number: 80, name: 'http', protocol: 'HTTP' }], [{ number: 80, name: 'web', protocol: 'HTTP' }, { number: 443, name: 'tls', protocol: 'TLS', targetPort: 8443 }])
const hosts = fc.uniqueArray(fc.constantFrom('e.example.com', 'f.example.com', 'a.default.svc.cluster.local', '*.example.com'), { minLength: 1, maxLength: 2 })

const objects = fc.oneof(
  object('v1', 'Service', fc.record({
    spec: fc.record({
      selector: labels, clusterIP: fc.constantFrom('', 'None', '10.96.0.1'), publishNotReadyAddresses: fc.boolean(),
      ports: fc.constantFrom([{ name: 'http', port: 80 }], [{ name: 'http', port: 80, targetPort: 'web' }, { name: 'b', port: 81, targetPort: 9000 }]),
    }, { requiredKeys: ['ports'] }),
  })),
  object('v1', 'Pod', fc.record({
    spec: fc.record({ nodeName: fc.constantFrom('a', 'b'), hostNetwork: fc.boolean(), containers: fc.constantFrom([], [{ name: 'c', ports: [{ name: 'web', containerPort: 8080 }] }]) }),
    status: fc.record({ podIP: address, phase: fc.constantFrom('Running', 'Failed'), conditions: fc.constantFrom([], [{ type: 'Ready', status: 'False' }]) }),
  })),
  object('trysail.dev/v1', 'Process', fc.record({ spec: fc.record({ proxyType: fc.constantFrom('sidecar', 'none'), ports: fc.constantFrom([], [{ name: 'web', containerPort: 8080 }]) }) })),
  object(networking, 'WorkloadEntry', fc.record({ spec: fc.record({ address: fc.oneof(address, fc.constant('w.example.com')), ports: fc.constantFrom({}, { http: 7000 }) }) })),
  object(networking, 'ServiceEntry', fc.record({
    spec: fc.tuple(hosts, entryPorts, fc.constantFrom(
      { resolution: 'STATIC', endpoints: [{ address: '3.3.3.3' }] }, { resolution: 'STATIC', workloadSelector: { labels: { app: 'x' } } },
      { resolution: 'NONE' }, { resolution: 'DNS', endpoints: [{ address: 'there.example.com' }] },
    )).map(([to, ports, how]) => ({ hosts: to, ports, ...how })),
  })),
  fc.tuple(name, address, fc.boolean()).map(([of, at, ready]) => ({
    apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', metadata: { name: of, labels: { 'kubernetes.io/service-name': of } }, addressType: 'IPv4',
    ports: [{ name: 'http', port: 8080 }], endpoints: [{ addresses: [at], conditions: { ready } }],
  })),
  fc.tuple(name, fc.constantFrom('z1', 'z2')).map(([of, zone]) => ({ apiVersion: 'v1', kind: 'Node', metadata: { name: of, labels: { 'topology.kubernetes.io/region': 'r', 'topology.kubernetes.io/zone': zone } } })),
  fc.constantFrom('n1', 'n2').map((network) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'istio-system', labels: { 'topology.istio.io/network': network } } })),
)

/** Documents that stay the same are the same objects from world to world, as they are in files that were not touched. */
const parsed = new Map<string, Content>()
function contentOf(value: object): Content {
  const text = JSON.stringify(value)
  const content = parsed.get(text) ?? parseText(text, 'mesh.json', { namespace: 'default' })
  parsed.set(text, content)
  return content
}

const stateOf = (values: readonly object[]): SourceState => assemble(values.map((value) => ({ content: contentOf(value), held: [], leaving: false })))

const pool = fc.array(objects, { minLength: 1, maxLength: 12 })
const steps = fc.array(fc.record({ picks: fc.array(fc.boolean(), { minLength: 12, maxLength: 12 }), notReady: fc.option(name) }), { minLength: 2, maxLength: 6 })

test('merging step by step gives what merging afresh gives', () => {
  fc.assert(fc.property(pool, steps, (values, worlds) => {
    const merger = new WorldMerger()
    for (const { picks, notReady } of worlds) {
      const state = stateOf(values.filter((_, index) => picks[index]))
      const ready = new Map(notReady === null ? [] : [[`default/${notReady}`, false]])
      assert.deepEqual(addressless(merger.merge([state], ready)), addressless(new WorldMerger().merge([state], ready)))
    }
  }), { numRuns: 300 })
})

/** Addresses that were given depend on what was there before: of those only that there is one counts. */
function addressless(world: object): unknown {
  return JSON.parse(JSON.stringify(world).replaceAll(/"(10\.(9[6-9]|1[0-8]\d|19[01])|240\.240)\.\d+\.?\d*\.\d+"/g, (text) => (text === '"10.96.0.1"' ? text : '"given"')))
}
