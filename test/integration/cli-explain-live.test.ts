// `trysail explain` of a running proxy: its admin server answers by what it has accepted, in the words of the offline answer,
// and with what it has learned of its endpoints.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { captureIo } from '../support/capture-io.ts'
import { findClient } from '../../src/cli/explain/client.ts'
import type { Answer } from '../../src/cli/explain/answer.ts'
import { main } from '../../src/cli/main.ts'
import { readOffline } from '../../src/cli/offline.ts'
import { parseArguments } from '../../src/cli/arguments.ts'
import { fileOption } from '../../src/cli/file-option.ts'
import { typeUrls } from '../../src/control/translate/table.ts'
import { adminPaths } from '../../src/proxy/admin/paths.ts'
import { startAdmin } from '../../src/proxy/admin/server.ts'
import { nothingAccepted, resourceTypes } from '../../src/proxy/xds/accepted.ts'
import type { Host } from '../../src/proxy/upstream/types.ts'

const root = join(import.meta.dirname, '../..')
const files = ['-f', join(root, 'samples/bookinfo/mesh'), '-f', join(root, 'samples/bookinfo/tour/virtual-service-reviews-test-v2.yaml')]
const v1 = 'outbound|9080|v1|reviews.default.svc.cluster.local'

/** The admin server of a proxy that has accepted what the control plane makes of Bookinfo for productpage. */
async function adminOfProductpage(hosts: readonly Host[] = []) {
  const io = captureIo()
  const { state, deployments } = await readOffline(parseArguments(files, { options: [fileOption], operands: [] }), io)
  const session = state.connect(findClient(state.snapshot, deployments, 'default/productpage-v1').node)
  const accepted = nothingAccepted()
  for (const [type, short] of [['LDS', 'listeners'], ['RDS', 'routes'], ['CDS', 'clusters'], ['EDS', 'endpoints']] as const) {
    const sent = session.all(typeUrls[type]).map(({ name, bytes }) => ({ name, version: '1', any: { $typeName: 'google.protobuf.Any' as const, typeUrl: resourceTypes[short], value: bytes } }))
    accepted[short].record(sent, [], new Map(), '1', 0)
  }
  const nothing = { inboundPeers: () => ({ since: '', ports: [], plaintext: [], forgotten: 0 }), ownSecrets: () => [], bootstrap: () => ({}), listeners: () => [], stats: () => [], prometheus: () => '', drain: () => Promise.resolve(), quit: () => {}, reopenLogs: () => {}, failHealthcheck: () => {} }
  const admin = await startAdmin(0, adminPaths({
    ...nothing, accepted, state: () => 'LIVE', notReadyBecause: () => '', startedAt: 0, version: '', nodeId: '',
    clusters: () => (hosts.length === 0 ? [] : [{ name: v1, assignmentName: v1, hosts }]), lookup: () => undefined,
  }))
  return { at: `127.0.0.1:${admin.port}`, [Symbol.asyncDispose]: () => admin.close() }
}

async function explain(where: readonly string[], request: string, ...more: readonly string[]): Promise<Answer> {
  const io = captureIo()
  assert.equal(await main(['explain', ...where, '--request', request, ...more, '-o', 'json'], io), 0, io.err())
  return JSON.parse(io.out()) as Answer
}

test('a running proxy says what the files say, but for what only the other end and the control plane know', async () => {
  await using admin = await adminOfProductpage()
  for (const [request, ...more] of [['GET http://reviews:9080/reviews/1', '-H', 'end-user: jason'], ['POST http://reviews:9080/x?y=1'], ['GET http://details:9080/'], ['GET http://nobody.example/']] as const) {
    const offline = await explain([...files, '--from', 'productpage-v1'], request, ...more)
    const live = await explain(['--admin', admin.at], request, ...more)
    const common = ({ from: _from, denied: _denied, resolvesTo: _resolvesTo, policy, considered: _considered, ...rest }: Answer) => ({ ...rest, policy: { ...policy, peerAuthentication: null } })
    assert.deepEqual(common(live), common(offline), request)
    assert.deepEqual([live.denied, live.from], [null, admin.at])
    assert.deepEqual(live.considered, offline.considered.slice(0, live.considered.length))
  }
})

test('endpoints that a running proxy has ejected, or could not reach, are left out with the reason', async () => {
  const host = (last: number, more: Partial<Host>): Host =>
    ({ address: { host: `10.0.0.${last}`, port: 9080 }, name: `10.0.0.${last}:9080`, weight: 1, health: 'healthy', active: 0, workload: 'reviews-v1;default', mutualTls: true, onResult: () => {}, ...more })
  await using admin = await adminOfProductpage([host(1, {}), host(2, { ejection: '5 errors in a row' }), host(3, { suspect: true }), host(4, { health: 'draining' }), host(5, {}), host(6, {})])
  const { endpoints } = await explain(['--admin', admin.at], 'GET http://reviews:9080/')
  assert.deepEqual(endpoints.map(({ address, whyNot }) => [address.slice(0, 8), whyNot]), [
    ['10.0.0.1', null], ['10.0.0.2', 'is ejected by outlier detection: 5 errors in a row'], ['10.0.0.3', 'could not be connected to a moment ago'],
    ['10.0.0.4', 'is draining: it finishes what it has'], ['10.0.0.5', null], ['10.0.0.6', null],
  ])
  const io = captureIo()
  assert.equal(await main(['explain', '--admin', admin.at, '--request', 'GET http://reviews:9080/'], io), 0)
  assert.match(io.out(), /left out +10\.0\.0\.2:9080 \(default\/reviews-v1\) is ejected by outlier detection: 5 errors in a row/)
})

test('the admin server says what is missing in a question, and answers one by curl', async () => {
  await using admin = await adminOfProductpage()
  const ask = async (query: string) => {
    const response = await fetch(`http://${admin.at}/explain?${query}`)
    return { status: response.status, body: await response.text() }
  }
  assert.match((await ask('authority=reviews:9080&path=/reviews/1&header=end-user:%20jason')).body, /"matchIndex": 0/)
  for (const [query, reason] of [['', /^authority is needed/], ['authority=a&scheme=ftp', /^scheme must be one of http, https, tcp, tls, not "ftp"/], ['authority=a&path=b', /^path must begin with \//], ['authority=a&destination=b:1', /^source and destination must be IP:PORT/]] as const) {
    const { status, body } = await ask(query)
    assert.equal(status, 400)
    assert.match(body, reason)
  }
})

test('files and a running proxy are not asked at once, and one of them must be', async () => {
  const usage = async (...args: string[]): Promise<string> => {
    const io = captureIo()
    assert.equal(await main(['explain', '--request', 'GET http://a/', ...args], io), 64)
    return io.err()
  }
  assert.match(await usage(), /-f, --file FILE is needed, or --proxy\n.*--from NS\/WORKLOAD is needed/)
  assert.match(await usage('--admin', '127.0.0.1:1', '--from', 'web'), /--file and --from are for files, --proxy and --admin for a running proxy/)
})
