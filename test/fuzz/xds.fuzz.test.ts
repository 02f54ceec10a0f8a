// Fuzz target for what a control plane sends: real resources of the golden worlds with bytes changed, cut off or from another
// type. The proxy refuses them by name or takes them; it never throws, and what it had before goes on.
import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { createSnapshot } from '../../src/control/snapshot.ts'
import { readProxyNode } from '../../src/control/translate/proxy-node.ts'
import { ProxyResources } from '../../src/control/translate/proxy-resources.ts'
import { typeUrls } from '../../src/control/translate/table.ts'
import { BuildCache } from '../../src/control/translate/translator.ts'
import { compileConnectionManager } from '../../src/proxy/http/connection-manager.ts'
import { HttpCounters } from '../../src/proxy/http/http-counters.ts'
import { noCapture } from '../../src/proxy/listen/capture.ts'
import { openClusters } from '../../src/proxy/upstream/cluster-set.ts'
import { loadCase } from '../golden/load.ts'
import { startProxyWorld } from '../support/proxy-world.ts'

interface Sample {
  readonly type: string
  readonly name: string
  readonly bytes: Buffer
}

/** Each shape once: many worlds have the same resources. */
function samples(): readonly Sample[] {
  const folder = join(import.meta.dirname, '../golden/translate')
  const found = new Map<string, Sample>()
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.in.yaml'))) {
    const { node, world } = loadCase(readFileSync(join(folder, file), 'utf8'))
    const resources = new ProxyResources(readProxyNode(node), new BuildCache(), () => {})
    const snapshot = createSnapshot(world)
    for (const type of ['CDS', 'EDS', 'LDS', 'RDS'] as const) {
      for (const { name, bytes } of resources.lists(type, snapshot).flat()) found.set(Buffer.from(bytes).toString('base64'), { type: typeUrls[type], name, bytes: Buffer.from(bytes) })
    }
  }
  return [...found.values()]
}

const all = samples()
const change = fc.array(fc.tuple(fc.double({ min: 0, max: 0.999_999, noNaN: true }), fc.nat(255)), { minLength: 1, maxLength: 4 })

/** A whole proxy that listens nowhere, dials nobody and looks nothing up. */
async function startProxy() {
  const counters = new HttpCounters()
  return await startProxyWorld({
    upstreams: {}, capture: { ...noCapture, bindsAt: () => undefined },
    parts: {
      openUpstream: (secrets, dial) => openClusters({ secrets, dial, resolve: () => Promise.resolve({ addresses: [], ttlMs: 60_000 }) }),
      compileHttp: (manager, { direction, clusters, routes, clock }) => compileConnectionManager(manager, { direction, clusters, routes, clock, random: () => 0, counters }),
    },
  })
}

test(`${all.length} real resources, damaged: the proxy takes them or says what is wrong, and never throws`, async () => {
  assert.ok(all.length > 100)
  const { proxy, control } = await startProxy()
  await using _proxy = proxy
  for (const { type, name, bytes } of all) control.sendBytes(type, name, bytes)
  assert.deepEqual(control.nacks, [], 'as they are all of them are taken')
  fc.assert(fc.property(fc.constantFrom(...all), change, fc.constantFrom('bytes', 'cut', 'type'), fc.constantFrom(...all), (sample, changes, kind, other) => {
    const damaged = Buffer.from(kind === 'type' ? other.bytes : sample.bytes)
    if (kind === 'bytes') for (const [at, byte] of changes) damaged[Math.floor(at * damaged.length)] = byte
    const length = kind === 'cut' ? Math.floor(changes[0]![0] * damaged.length) : damaged.length
    control.sendBytes(sample.type, sample.name, damaged.subarray(0, length))
  }), { numRuns: 3000 })
  assert.ok(control.nacks.length > 300, `${control.nacks.length} are refused`)
  assert.deepEqual(control.nacks.filter((text) => /TypeError|RangeError|undefined|\[object/.test(text)).slice(0, 3), [])
  control.nacks.length = 0
  for (const { type, name, bytes } of all) control.sendBytes(type, name, bytes)
  assert.deepEqual(control.nacks, [], 'and afterwards too')
})
