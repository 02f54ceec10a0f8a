// A real sidecar behind the rules: a program that knows nothing of the mesh reaches it, and is reached, through its proxy.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CaptureSettings } from '../../src/agent/capture/capture-settings.ts'
import { CapturedMesh } from '../support/captured-mesh.ts'
import { netnsSkip, places } from '../support/capture-world.ts'
import { leavesNothing } from '../support/leaves-nothing.ts'
import { TrysailProcess, trysail } from '../support/trysail-process.ts'

leavesNothing()

const { IPv4, IPv6 } = places
const own = 'spiffe://cluster.local/ns/default/sa/default'

async function withSidecar(capture: Partial<CaptureSettings>, flags: readonly string[]): Promise<CapturedMesh> {
  const mesh = await CapturedMesh.open(capture)
  try {
    const proxy = mesh.use(new TrysailProcess([...await mesh.proxyFlags(), '--capture', 'netfilter', ...flags], mesh.asProxy))
    await proxy.saying(/info +serves/)
    return mesh
  } catch (error) {
    await mesh[Symbol.asyncDispose]()
    throw error
  }
}

test('a captured workload is reached and reaches others through its sidecar, over both families', { skip: netnsSkip, timeout: 90_000 }, async () => {
  await using mesh = await withSidecar({}, ['--instance-ips', IPv6.workload])
  const { workload, world } = mesh
  const inbound = { from: IPv4.ownSource, identity: '', proxied: true }
  assert.deepEqual(mesh.askAll(), {
    inbound, portOfNoService: inbound,
    ownService: { from: IPv4.ownSource, identity: own, proxied: true }, // out and in again, with its certificate
    ownAddress: { from: IPv4.workload, identity: '', proxied: false },
    stranger: { from: IPv4.workload, identity: '', proxied: false }, // bytes that pass
  })
  assert.deepEqual(mesh.ask(world, `http://[${IPv6.workload}]:8080/`), inbound, 'the application is known by its first address')
  assert.deepEqual(mesh.ask(world, `http://[${IPv6.workload}]:9090/`), { from: IPv6.ownSource, identity: '', proxied: true })
  assert.deepEqual(mesh.ask(workload, `http://[${IPv6.service}]/`), { from: IPv4.ownSource, identity: own, proxied: true }, 'its own service by its other address')
  assert.deepEqual(mesh.ask(workload, `http://[${IPv6.peer}]:8000/`), { from: IPv6.workload, identity: '', proxied: false })
})

test('with TPROXY the application sees its clients\' own addresses, also through several threads', { skip: netnsSkip, timeout: 90_000 }, async () => {
  await using mesh = await withSidecar({ mode: 'TPROXY' }, ['--interception-mode', 'TPROXY', '--concurrency', '2'])
  const inbound = { from: IPv4.peer, identity: '', proxied: true }
  assert.deepEqual(mesh.askAll(), {
    inbound, portOfNoService: inbound,
    ownService: { from: IPv4.workload, identity: own, proxied: true },
    ownAddress: { from: IPv4.workload, identity: '', proxied: false },
    stranger: { from: IPv4.workload, identity: '', proxied: false },
  })
  assert.deepEqual(mesh.ask(mesh.world, `http://[${IPv6.workload}]:9090/`), { from: IPv6.peer, identity: '', proxied: true })
  assert.deepEqual(mesh.ask(mesh.world, `http://[${IPv6.workload}]:8080/`), { from: IPv4.ownSource, identity: '', proxied: true }, 'the application is known by its first address, of the other family')
})

test('a proxy whose traffic is not captured says so and does not serve', { skip: netnsSkip, timeout: 60_000 }, async () => {
  await using mesh = await CapturedMesh.open({ mode: 'NONE' })
  const { code, output } = await trysail([...await mesh.proxyFlags(), '--capture', 'netfilter'], mesh.asProxy)
  assert.equal(code, 1)
  assert.match(output, /traffic is not captured: a connection of the proxy to 10\.77\.0\.2:15002 did not come back to its inbound port\. Put the rules in place .*trysail agent capture --apply/)
})

test('trysail agent capture applies the rules, checks that they capture, and takes them away', { skip: netnsSkip, timeout: 60_000 }, async () => {
  await using mesh = await CapturedMesh.open({ mode: 'NONE' })
  const run = (...flags: readonly string[]) => trysail(['agent', 'capture', ...flags], { cwd: mesh.folder, env: mesh.env, as: mesh.workload.enter() })
  const before = await run('--check')
  assert.equal(before.code, 126, before.output)
  assert.match(before.output, /^rules +none: put them in place with --apply\noutbound +NOT CAPTURED: a connection to 192\.0\.2\.1:15002 .*\ninbound +NOT CAPTURED: /)
  assert.deepEqual(await run('--apply'), { code: 0, output: 'captured: the rules are in place\n' })
  assert.deepEqual(await run('--apply'), { code: 0, output: 'captured already: the rules stand as they should\n' })
  const { code, output } = await run('--check', '-o', 'json')
  assert.equal(code, 0, output)
  assert.deepEqual(JSON.parse(output), {
    rules: 'equal', outbound: { captured: true, why: 'what the workload sends goes to port 15001' }, inbound: { captured: true, why: 'what comes to the workload goes to port 15006' },
  })
  assert.equal((await run('--check', '--exclude-outbound-ports', '3306')).code, 1, 'captured, but by other rules than these')
  assert.deepEqual(await run('--remove'), { code: 0, output: 'nothing is captured any more\n' })
  assert.equal(mesh.workload.sh(['nft', 'list', 'ruleset']), '')
})
