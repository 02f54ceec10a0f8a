// A real Envoy in the place of our proxy, under our control plane, behind the same rules: what the rules and the xDS say of
// original destinations and sources means to it what it means to ours.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { CapturedMesh } from '../support/captured-mesh.ts'
import { netnsSkip, places } from '../support/capture-world.ts'
import { createAuthority } from '../support/certificates.ts'
import { findEnvoy } from '../interop/envoy-binary.ts'
import { startAgent, startEnvoy } from '../interop/real-envoy.ts'
import { leavesNothing } from '../support/leaves-nothing.ts'

leavesNothing()

const { path: envoy, missing } = findEnvoy()
const { IPv4, IPv6 } = places
const own = 'spiffe://cluster.local/ns/default/sa/default'
/** As user 1337 it reads what the test wrote. */
const asProxy = ['setpriv', '--reuid=1337', '--regid=1337', '--clear-groups', '--inh-caps=+net_admin,+dac_override', '--ambient-caps=+net_admin,+dac_override', '--']
const patienceMs = 30_000

const serves = (mesh: CapturedMesh): boolean => [mesh.ask(mesh.world, `http://${IPv4.workload}:8080/`, 1), mesh.ask(mesh.workload, `http://${IPv4.service}/`, 1)].every((one) => typeof one === 'object')

for (const mode of ['REDIRECT', 'TPROXY'] as const) {
  test(`Envoy takes what is captured with ${mode} as our proxy does`, { skip: netnsSkip === false ? missing ?? false : netnsSkip, timeout: 90_000 }, async () => {
    const authority = createAuthority('mesh root')
    await using agent = await startAgent({ roots: authority.roots, own: authority.issue(`URI:${own}`) })
    await using mesh = await CapturedMesh.open({ mode }, authority)
    await mesh.relay(mesh.workload, 15_010, { net: mesh.world, port: 15_010 })
    await mesh.relay(mesh.workload, 15_011, { port: agent.plaintextAddress!.port })
    await using running = startEnvoy({
      envoy: envoy!, under: [...mesh.workload.enter(), ...asProxy], apiType: 'DELTA_GRPC', port: 15_010, agentPort: 15_011, strict: true,
      node: {
        id: `sidecar~${IPv4.workload}~echo-1.default~default.svc.cluster.local`,
        metadata: { NAME: 'echo-1', NAMESPACE: 'default', SERVICE_ACCOUNT: 'default', LABELS: { app: 'echo' }, INSTANCE_IPS: `${IPv4.workload},${IPv6.workload}`, INTERCEPTION_MODE: mode },
      },
    })
    const until = Date.now() + patienceMs
    while (!serves(mesh) && Date.now() < until) await pause(100)
    const client = mode === 'TPROXY' ? IPv4.peer : IPv4.ownSource
    assert.deepEqual(mesh.askAll(), {
      inbound: { from: client, identity: '', proxied: true },
      portOfNoService: { from: client, identity: '', proxied: true },
      ownService: { from: mode === 'TPROXY' ? IPv4.workload : IPv4.ownSource, identity: own, proxied: true },
      ownAddress: { from: IPv4.workload, identity: '', proxied: false },
      stranger: { from: IPv4.workload, identity: '', proxied: false },
    }, running.output())
    assert.deepEqual(mesh.ask(mesh.world, `http://[${IPv6.workload}]:9090/`), { from: mode === 'TPROXY' ? IPv6.peer : IPv6.ownSource, identity: '', proxied: true })
    assert.deepEqual(mesh.ask(mesh.workload, `http://[${IPv6.service}]/`), { from: mode === 'TPROXY' ? IPv4.workload : IPv4.ownSource, identity: own, proxied: true })
  })
}
