// Look-ups of a captured workload: whoever it asks, its proxy answers; the proxy itself asks the real resolver; and where the rules
// lead it back to itself, it notices.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import type { CaptureSettings } from '../../src/agent/capture/capture-settings.ts'
import { CapturedMesh } from '../support/captured-mesh.ts'
import type { Heard } from '../support/captured-mesh.ts'
import { netnsSkip, places } from '../support/capture-world.ts'
import { leavesNothing } from '../support/leaves-nothing.ts'
import { TrysailProcess } from '../support/trysail-process.ts'

leavesNothing()

const { IPv4, IPv6 } = places
const responder = join(import.meta.dirname, '../support/dns-responder.ts')
const noDig = spawnSync('dig', ['-v']).error === undefined ? false : 'skipped: dig is not installed (dnsutils)'

/** With a resolver outside, and rules for whatever the workload asks. */
async function meshWithResolver(capture: Partial<CaptureSettings> = {}): Promise<CapturedMesh> {
  const mesh = await CapturedMesh.open({ dnsServers: '*', ...capture })
  await mesh.program(mesh.world, [process.execPath, responder, IPv4.peer, '53'], /resolves/)
  mesh.file('resolv.conf', `nameserver ${IPv4.peer}\nsearch default.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n`)
  return mesh
}

/** As a user of the workload, with its resolv.conf. */
function inside(mesh: CapturedMesh, command: string, user = 1000): string {
  const resolv = join(mesh.folder, 'resolv.conf')
  const asUser = `setpriv --reuid=${user} --regid=${user} --clear-groups sh -c '${command}'`
  const [program, ...args] = [...mesh.workload.enter(), 'unshare', '--mount', 'sh', '-c', `mount --bind ${resolv} /etc/resolv.conf && ${asUser}`]
  const { stdout, stderr } = spawnSync(program!, args, { encoding: 'utf8', timeout: 30_000 })
  return stdout === '' ? stderr.trim() : stdout.trim()
}

const addresses = (text: string): readonly string[] => [...new Set(text.split('\n').map((line) => line.split(/\s+/)[0]!))].sort()

test('a captured workload looks up names by its own means, and its proxy answers', { skip: netnsSkip, timeout: 90_000 }, async () => {
  await using mesh = await meshWithResolver()
  const flags = [...await mesh.proxyFlags(), '--capture', 'netfilter', '--instance-ips', IPv6.workload, '--dns-capture', '--resolv-conf', join(mesh.folder, 'resolv.conf'), '--admin-port', '15000']
  const proxy = mesh.use(new TrysailProcess(flags, mesh.asProxy))
  await proxy.saying(/info +serves/)
  assert.deepEqual(addresses(inside(mesh, 'getent ahosts echo')), [IPv4.service, IPv6.service])
  assert.deepEqual(addresses(inside(mesh, 'getent ahosts echo.default.svc.cluster.local')), [IPv4.service, IPv6.service])
  assert.deepEqual(addresses(inside(mesh, 'getent ahosts elsewhere.example.net')), ['192.0.2.77'])
  assert.equal(inside(mesh, 'getent ahosts nowhere.example.net || echo there is none'), 'there is none')
  const heard = JSON.parse(inside(mesh, 'curl -sS --max-time 20 http://echo/')) as Heard
  assert.equal(heard.identity, 'spiffe://cluster.local/ns/default/sa/default', 'by name, through the proxy, to itself')
  if (noDig !== false) return
  for (const how of ['', '+tcp']) {
    assert.equal(inside(mesh, `dig ${how} +short @${IPv4.peer} echo.default`), IPv4.service, `whichever server it names ${how}`)
    assert.equal(inside(mesh, `dig ${how} +short @${IPv4.other} echo.default`), IPv4.service, 'also one that there is not')
    assert.equal(inside(mesh, `dig ${how} +short @${IPv6.peer} echo.default`), IPv4.service)
    assert.equal(inside(mesh, `dig ${how} +short @${IPv4.peer} echo.default`, 1337), '192.0.2.77', 'the proxy asks the resolver itself')
  }
})

test('a proxy whose own queries come back to it says so, and answers at once', { skip: netnsSkip || noDig, timeout: 90_000 }, async () => {
  await using mesh = await meshWithResolver({ includeOutboundRanges: [] })
  const flags = [...await mesh.proxyFlags(), '--dns-capture', '--resolv-conf', join(mesh.folder, 'resolv.conf'), '--admin-port', '0']
  // Not the user that the rules leave alone.
  const proxy = mesh.use(new TrysailProcess(flags, { ...mesh.asProxy, as: [...mesh.workload.enter(), 'setpriv', '--reuid=1001', '--regid=1001', '--clear-groups'] }))
  await proxy.saying(/info +serves/)
  // By UDP even the answer would be lost: the rules keep apart the connections of two users, of which none is the proxy's here.
  assert.match(inside(mesh, `dig +tcp +tries=1 +time=4 @${IPv4.peer} elsewhere.example.net`), /status: SERVFAIL/)
  await proxy.saying(/a query that was sent on has come back: the resolvers 10\.77\.0\.1:53 lead here/)
})
