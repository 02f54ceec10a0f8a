// A proxy whose workload looks names up serves once it knows them, and not much later where nobody says any.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { worldSource } from '../../src/control/serve/world-source.ts'
import type { ResourceSource } from '../../src/control/serve/resource-source.ts'
import { WorldState } from '../../src/control/world-state.ts'
import { startProxy } from '../../src/proxy/main.ts'
import type { NameTable } from '../../src/proxy/main.ts'
import { proxySettings } from '../../src/proxy/settings.ts'
import { typeUrls } from '../../src/xds/types.ts'
import { serveAds } from '../support/ads-world.ts'
import { bookinfo } from '../support/bookinfo-world.ts'
import { createAuthority } from '../support/certificates.ts'
import { manualClock } from '../support/manual-clock.ts'
import { until } from '../support/until.ts'

async function start(source: (state: WorldState) => ResourceSource, clock = manualClock()) {
  const state = new WorldState()
  state.update(bookinfo())
  const ads = await serveAds(source(state))
  const authority = createAuthority()
  const { chain, key } = authority.issue('URI:spiffe://cluster.local/ns/default/sa/bookinfo-productpage')
  const said: string[] = []
  const taken: NameTable[] = []
  const settings = proxySettings({ name: 'productpage', ip: '127.1.0.1', serviceAccount: 'bookinfo-productpage', discoveryAddress: new URL(ads.url).host, discoveryPlaintext: true, adminPort: 0, dnsCapture: true })
  const proxy = await startProxy(settings, { roots: authority.roots, certificates: { chain, key, roots: authority.roots }, clock, log: (line) => said.push(line), onNames: (names) => taken.push(names) })
  return {
    proxy, said, taken, clock,
    async [Symbol.asyncDispose]() {
      await proxy.close(0)
      await ads[Symbol.asyncDispose]()
    },
  }
}

/** Says nothing of names, as a server that does not know the type. */
const withoutNames = (state: WorldState): ResourceSource => {
  const source = worldSource(state)
  return {
    get ready() {
      return source.ready
    },
    onPush: (listener) => source.onPush(listener),
    connect(node) {
      const session = source.connect(node)
      return {
        node: session.node, record: session.record,
        get generation() {
          return session.generation
        },
        lists: (typeUrl) => (typeUrl === typeUrls.NDS ? [] : session.lists(typeUrl)),
        get: (typeUrl, name) => session.get(typeUrl, name),
        close: () => session.close(),
      }
    },
  }
}

test('names are there when the proxy is ready', async () => {
  await using world = await start(worldSource)
  await world.proxy.whenReady
  assert.deepEqual([...world.taken[0]!.keys()], ['details.default.svc.cluster.local', 'productpage.default.svc.cluster.local', 'reviews.default.svc.cluster.local'])
  const shown = (await (await fetch(`http://127.0.0.1:${world.proxy.adminPort}/names`)).json()) as { readonly names: readonly { readonly ips: readonly string[] }[] }
  assert.deepEqual(shown.names[0]?.ips, ['240.240.0.2'])
})

test('a server that knows of no names is waited for ten seconds', async () => {
  await using world = await start(withoutNames)
  await world.proxy.planner.whenReady
  const ready = await fetch(`http://127.0.0.1:${world.proxy.adminPort}/ready`)
  assert.equal(ready.status, 503)
  assert.equal((await fetch(`http://127.0.0.1:${world.proxy.adminPort}/names`)).status, 404)
  await until(() => {
    void world.clock.advance(1000)
    return world.proxy.state === 'LIVE'
  })
  assert.match(world.said.join('\n'), /has said no names within 10 s: look-ups fail until it does/)
})
