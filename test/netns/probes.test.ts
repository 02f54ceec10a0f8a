// A kubelet asks a captured workload that takes mutual TLS only: through the agent's port, which no rule takes, past the sidecar.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { istioExcludedInboundPorts } from '../../src/agent/capture/capture-settings.ts'
import { CapturedMesh } from '../support/captured-mesh.ts'
import { netnsSkip, places } from '../support/capture-world.ts'
import { leavesNothing } from '../support/leaves-nothing.ts'
import { TrysailProcess } from '../support/trysail-process.ts'
import { until } from '../support/until.ts'

leavesNothing()

const { IPv4 } = places
const strict = 'apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: { name: default, namespace: default }\nspec: { mtls: { mode: STRICT } }\n'
const probers = {
  '/app-health/echo/readyz': { httpGet: { path: '/', port: 8080 }, timeoutSeconds: 5 },
  '/app-health/echo/livez': { tcpSocket: { port: 9090 }, timeoutSeconds: 5 },
  '/app-health/echo/startupz': { tcpSocket: { port: 9091 }, timeoutSeconds: 5 },
}

test('probes reach a captured application under STRICT from the address that the rules leave alone; clients without a certificate do not', { skip: netnsSkip, timeout: 90_000 }, async () => {
  await using mesh = await CapturedMesh.open({ excludeInboundPorts: istioExcludedInboundPorts })
  mesh.file('mesh/strict.yaml', strict)
  const proxy = mesh.use(new TrysailProcess([...await mesh.proxyFlags(), '--capture', 'netfilter', '--app-probers', JSON.stringify(probers)], mesh.asProxy))
  await proxy.saying(/info +serves/)
  const outside = (path: string) => mesh.ask(mesh.world, `http://${IPv4.workload}:15020${path}`)
  await until(() => typeof mesh.ask(mesh.world, `http://${IPv4.workload}:8080/`) === 'string', 'plaintext is refused')
  assert.equal(outside('/healthz/ready'), 'ready\n', 'without a word of it, the port is Istio\'s')
  assert.deepEqual(outside('/app-health/echo/readyz'), { from: IPv4.ownSource, identity: '', proxied: false })
  assert.equal(outside('/app-health/echo/livez'), '')
  assert.match(outside('/app-health/echo/startupz') as string, /refused/)
  assert.match(outside('/quitquitquit') as string, /only requests from loopback/)
  assert.match(outside('/stats/prometheus') as string, /^# (HELP|TYPE) /m)
})
