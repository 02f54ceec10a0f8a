// `trysail test` from YAML to exit code: tests that pass, that fail and that are broken, what each output says, coverage,
// and that it never says other than explain.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { main } from '../../src/cli/main.ts'
import type { Answer } from '../../src/cli/explain/answer.ts'
import type { asJson } from '../../src/cli/test/report.ts'
import { parseArguments } from '../../src/cli/arguments.ts'
import { fileOption } from '../../src/cli/file-option.ts'
import { readOffline } from '../../src/cli/offline.ts'
import { casesIn } from '../../src/cli/test/cases.ts'
import { passed, runCases } from '../../src/cli/test/run.ts'
import { captureIo } from '../support/capture-io.ts'
import { parseXml } from '../support/strict-xml.ts'

const root = join(import.meta.dirname, '../..')
const mesh = join(root, 'samples/bookinfo/mesh')

type Json = ReturnType<typeof asJson>

async function run(yaml: string, ...more: readonly string[]) {
  const io = captureIo(yaml)
  const code = await main(['test', '-f', mesh, '-f', '-', ...more], io)
  return { code, out: io.out(), err: io.err() }
}

async function json(yaml: string, ...more: readonly string[]): Promise<Json> {
  const { out, err } = await run(yaml, '-o', 'json', ...more)
  assert.notEqual(out, '', err)
  return JSON.parse(out) as Json
}

const documents = (...all: readonly object[]): string => all.map((one) => JSON.stringify(one)).join('\n---\n')
const virtualService = (spec: object, name = 'reviews') => ({ apiVersion: 'networking.istio.io/v1', kind: 'VirtualService', metadata: { name }, spec })
const reviews = (...http: readonly object[]) => virtualService({ hosts: ['reviews'], http })
const to = (subset: string, weight?: number) => ({ destination: { host: 'reviews', subset }, ...(weight === undefined ? {} : { weight }) })
const routeTest = (tests: readonly object[], name = 'reviews') => ({
  apiVersion: 'trysail.dev/v1', kind: 'RouteTest', metadata: { name },
  spec: { defaults: { from: 'productpage-v1', request: { url: 'http://reviews:9080/reviews/1' } }, tests },
})

/** One test of one expectation: whether it passed, or what was observed instead. */
async function outcome(mesh: readonly object[], expect: object, request: object = {}, more: object = {}): Promise<unknown> {
  const { tests } = await json(documents(...mesh, routeTest([{ name: 'one', request, expect, ...more }])))
  assert.equal(tests.length, 1)
  const [one] = tests
  return one!.passed ? 'passed' : (one!.error ?? one!.failures.map(({ field, observed }) => [field, observed]))
}

for (const file of readdirSync(join(root, 'samples/bookinfo/tests'))) {
  test(`the sample's own tests pass by the command in their first line: ${file}`, async () => {
    const [first = ''] = readFileSync(join(root, 'samples/bookinfo/tests', file), 'utf8').split('\n')
    const args = first.replace(/^# trysail /, '').split(' ').map((one) => (one.startsWith('samples/') ? join(root, one) : one))
    const io = captureIo()
    assert.equal(await main(args, io), 0, io.out() + io.err())
    assert.match(io.out(), /\d+ tests?: (all )?passed/)
  })
}

const jason = reviews({ match: [{ headers: { 'end-user': { exact: 'jason' } } }], route: [to('v2')] }, { route: [to('v1')] })

test('a failure shows what was expected beside what was observed, the rule that matched and why the other did not', async () => {
  const yaml = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews }
spec:
  hosts: [reviews]
  http:
  - match:
    - headers: { end-user: { exact: jason } }
    route: [{ destination: { host: reviews, subset: v2 } }]
  - route: [{ destination: { host: reviews, subset: v1 } }]
---
apiVersion: trysail.dev/v1
kind: RouteTest
metadata: { name: reviews }
spec:
  tests:
  - name: jason sees v2
    from: productpage-v1
    request:
      url: http://reviews:9080/reviews/1
      headers: { end-user: jasper }
    expect:
      destination: { host: reviews, subset: v2 }
`
  const { code, out } = await run(yaml)
  assert.equal(code, 1)
  assert.ok(out.startsWith(`FAIL default/reviews: jason sees v2 (-:18)
  GET http://reviews:9080/reviews/1 with end-user: jasper, from default/productpage-v1
  destination (-:24)
    expected    { host: reviews, subset: v2 }
    observed    { host: reviews.default.svc.cluster.local, subset: v1, port: 9080, weight: 100 }
  matched VirtualService default/reviews http[1] (-:11)
  not taken:
    http[0].match[0] of VirtualService default/reviews (-:9)
      needs: header end-user is "jason"; but it is "jasper"

rule 0 (match 0) of VirtualService default/bookinfo (`), out)
  assert.match(out, /^rule 0 \(match 0\) of VirtualService default\/reviews \(-:9\) is never reached$/m)
  assert.match(out, /\nCoverage: 1 of 7 rules and matches \(14\.2%\)\n1 test: 1 failed, 0 passed in \d+ ms\n$/)
})

test('every expectation passes when it is so, and fails with what is so instead', async () => {
  const rich = reviews({
    name: 'rich',
    match: [{ uri: { prefix: '/reviews/' } }],
    route: [to('v1', 90), to('v2', 10)],
    rewrite: { uri: '/v2/', authority: 'reviews.internal' },
    timeout: '1.5s',
    retries: { attempts: 3, perTryTimeout: '400ms', retryOn: '5xx,reset' },
    fault: { delay: { fixedDelay: '2s', percentage: { value: 10 } } },
    headers: { request: { set: { 'X-A': 'b' }, remove: ['x-c'] } },
  }, { match: [{ uri: { prefix: '/old' } }], redirect: { uri: '/new', redirectCode: 308 } },
  { match: [{ uri: { exact: '/teapot' } }], directResponse: { status: 418, body: { string: 'short & stout' } } })
  const split = [{ host: 'reviews', subset: 'v2', weight: 10 }, { subset: 'v1', weight: 90, port: 9080 }]
  const cases: readonly (readonly [good: object, bad: object, path?: string])[] = [
    [{ destinations: split }, { destinations: split.slice(0, 1) }],
    [{ destinations: split }, { destinations: [{ subset: 'v1', weight: 80 }, { subset: 'v2', weight: 20 }] }],
    [{ destinations: split }, { destination: { subset: 'v3' } }],
    [{ matchedVirtualService: 'default/reviews', routeName: 'rich', routeIndex: 0, matchIndex: 0 }, { routeIndex: 1 }],
    [{ rewrite: { path: '/v2/1', authority: 'reviews.internal' } }, { rewrite: { path: '/v2/2' } }],
    [{ timeout: '1500ms' }, { timeout: '0s' }],
    [{ retries: { attempts: 3, perTryTimeout: '0.4s', retryOn: 'reset,5xx' } }, { retries: { attempts: 0 } }],
    [{ faults: { delay: { fixedDelay: '2s', percentage: 10 } } }, { faults: { abort: {} } }],
    [{ headers: { request: { set: { 'x-a': 'b' }, remove: ['X-C'] } } }, { headers: { request: { set: { 'x-a': 'c' } } } }],
    [{ redirect: { code: 308, path: '/new' }, status: 308 }, { redirect: { path: '/old' } }, '/old/path'],
    [{ directResponse: { status: 418, body: 'short & stout' } }, { directResponse: { body: '' } }, '/teapot'],
    [{ status: 404, destinations: [] }, { status: 200 }, '/nowhere'],
    [{ mirrors: [], denied: false, blocked: false, passthrough: false }, { mirrors: [{}] }],
    [{ policy: { tls: 'ISTIO_MUTUAL', destinationRule: 'default/reviews', endpoints: 1 } }, { policy: { endpoints: 2 } }],
    [{ endpoints: [{ workload: 'default/reviews-v2', priority: 0 }, { workload: 'default/reviews-v1', priorityPercent: 100 }] }, { endpoints: [{ workload: 'default/reviews-v1' }] }],
    [{ listener: '0.0.0.0_9080', virtualHost: 'reviews.default.svc.cluster.local:9080' }, { listener: 'other' }],
  ]
  const tests = cases.flatMap(([good, bad, path = '/reviews/1'], index) => [
    { name: `good ${index}`, request: { path }, expect: good }, { name: `bad ${index}`, request: { path }, expect: bad },
    { name: `not bad ${index}`, request: { path }, not: bad },
  ])
  const report = await json(documents(rich, routeTest(tests)))
  const wrong = report.tests.filter(({ name, passed }) => passed === name.startsWith('bad'))
  assert.deepEqual(wrong.map(({ name, failures, error }) => ({ name, failures, error })), [])
})

test('what must not be so fails when any part of it is', async () => {
  const split = reviews({ route: [to('v1', 90), to('v3', 10)] })
  const not = async (value: object) => outcome([split], {}, {}, { not: value })
  assert.equal(await not({ destination: { subset: 'v2' }, redirect: {}, rewrite: {}, timeout: '1s' }), 'passed')
  assert.deepEqual((await not({ destination: { subset: 'v3' } }) as readonly unknown[][])[0]![0], 'not.destination')
  assert.deepEqual((await not({ retries: {} }) as readonly unknown[][])[0]![0], 'not.retries')
})

test('who expects a destination expects the request to come there', async () => {
  const strict = { apiVersion: 'security.istio.io/v1', kind: 'PeerAuthentication', metadata: { name: 'strict' }, spec: { mtls: { mode: 'STRICT' } } }
  const off = { apiVersion: 'networking.istio.io/v1', kind: 'DestinationRule', metadata: { name: 'details-off' }, spec: { host: 'details', trafficPolicy: { tls: { mode: 'DISABLE' } } } }
  const details = { url: 'http://details:9080/' }
  assert.deepEqual(await outcome([strict, off], { destination: { host: 'details' } }, details), [['status', 503]])
  assert.equal(await outcome([strict, off], { destination: { host: 'details' }, denied: true, deniedBy: 'PeerAuthentication/default/strict', status: 503 }, details), 'passed')
  assert.deepEqual(await outcome([reviews({ route: [to('v9')] })], { destination: { subset: 'v9' } }), [['status', 503]])
  assert.equal(await outcome([reviews({ route: [to('v9')] })], { destination: { subset: 'v9' }, status: 503 }), 'passed')
})

test('rows take over what they do not say themselves, and headers are joined', async () => {
  const rule = reviews({ match: [{ headers: { a: { exact: '1' }, b: { exact: '2' } }, uri: { exact: '/x' }, method: { exact: 'POST' } }], route: [to('v2')] }, { route: [to('v1')] })
  const { tests, totals } = await json(documents(rule, routeTest([{
    name: 'table',
    request: { method: 'POST', headers: { A: '1' }, path: '/x' },
    expect: { destination: { subset: 'v2' } },
    requests: [{ headers: { b: '2' } }, { name: 'other path', headers: { b: '2' }, path: '/y', expect: { destination: { subset: 'v1' } } }, { headers: { a: '0', b: '2' } }, { url: 'http://reviews:9080/z', headers: { b: '2' } }],
  }])))
  assert.deepEqual(tests.map(({ name, passed }) => [name, passed]), [['table / 0', true], ['table / other path', true], ['table / 2', false], ['table / 3', false]])
  assert.deepEqual([totals.tests, totals.passed, totals.failed], [4, 2, 2])
})

test('a broken test file fails the run with its lines, and the tests that can be read still run', async () => {
  const broken = routeTest([{ name: 'one', expect: { destinaton: {} } }], 'broken')
  const { code, out, err } = await run(documents(broken, jason, routeTest([{ name: 'fine', expect: { destination: { subset: 'v1' } } }])))
  assert.equal(code, 1)
  assert.match(err, /^-:1: error: RouteTest\/default\/broken: spec\.tests\[0\]\.expect\.destinaton: unknown field "destinaton"; did you mean destination\?$/m)
  assert.match(out, /1 test: passed in \d+ ms\nsome of the files are invalid: see the errors above\n$/)
})

test('a client that nobody knows is an error of its test alone', async () => {
  const report = await json(documents(jason, routeTest([{ name: 'lost', from: 'produtpage-v1', expect: { status: 404 } }, { name: 'found', expect: { destination: { subset: 'v1' } } }])))
  assert.deepEqual(report.tests.map(({ passed }) => passed), [false, true])
  assert.match(report.tests[0]!.error ?? '', /no Pod, Process, Deployment or Gateway is named default\/produtpage-v1; did you mean default\/productpage-v1\?/)
})

test('files without a test do not pass, nor does a filter that fits none; mistakes of the command line exit with 64', async () => {
  assert.equal((await run(documents(jason))).code, 1)
  const one = documents(jason, routeTest([{ name: 'one', expect: { destination: { subset: 'v1' } } }, { name: 'two', expect: { destination: { subset: 'v3' } } }]))
  assert.match((await run(one, '--filter', 'three')).out, /there is no test: no RouteTest in these files fits/)
  const filtered = await run(one, '--filter', '^default/reviews: one$')
  assert.deepEqual([filtered.code, /1 test: passed/.test(filtered.out)], [0, true])
  const usage = await run(one, '--filter', '(', '--coverage-min', '101')
  assert.equal(usage.code, 64)
  assert.match(usage.err, /--filter must be a regular expression, not "\("\n.*--coverage-min must be a percentage from 0 to 100, not "101"/)
})

test('coverage counts rules and matches, names those that no test reached, and those that no request can reach', async () => {
  const rules = virtualService({ hosts: ['reviews'], http: [
    { match: [{ uri: { prefix: '/a' } }, { uri: { prefix: '/b' } }], route: [to('v1')] },
    { match: [{ uri: { prefix: '/a/deeper' } }], route: [to('v2')] },
    { route: [to('v1')] },
    { name: 'late', match: [{ uri: { exact: '/late' } }], route: [to('v3')] },
  ] })
  const yaml = documents(rules, routeTest([{ name: 'b twice', requests: [{ path: '/b' }, { path: '/b/c' }], expect: { destination: { subset: 'v1' } } }, { name: 'rest', request: { path: '/' }, expect: { destination: { subset: 'v1' } } }]))
  const { coverage } = await json(yaml)
  const ours = coverage.rules.filter(({ virtualService: name }) => name === 'default/reviews')
  assert.deepEqual(ours.map(({ rule, match, hits, unreachable }) => [rule, match, hits, unreachable !== null]), [
    [0, 0, 0, false], [0, 1, 2, false], [1, 0, 0, true], [2, null, 1, false], [3, 0, 0, true],
  ])
  assert.deepEqual([coverage.total, coverage.reached, coverage.percent], [10, 2, 20])
  const { out } = await run(yaml)
  assert.match(out, /^rule 0 \(match 0\) of VirtualService default\/reviews \(-:1\) is never reached$/m)
  assert.match(out, /^rule 1 \(match 0\) of .* is never reached by any request: http\[0\]\.match\[0\] takes every such request already; put the longer path first$/m)
  assert.match(out, /^rule 3 \(match 0\) of .* is never reached by any request: http\[2\] has no match and takes everything; move it to the end$/m)
  assert.deepEqual([(await run(yaml, '--coverage-min', '20')).code, (await run(yaml, '--coverage-min', '20.5')).code], [0, 1])
})

test('blocks of delegates and of connections are counted where they stand', async () => {
  const outer = virtualService({ hosts: ['reviews'], http: [{ match: [{ uri: { prefix: '/a' } }], delegate: { name: 'inner' } }] })
  const inner = virtualService({ http: [{ match: [{ headers: { x: { exact: '1' } } }, { headers: { y: { exact: '1' } } }], route: [to('v2')] }, { route: [to('v1')] }] }, 'inner')
  const service = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'db' }, spec: { clusterIP: '10.96.0.9', ports: [{ name: 'tcp', port: 5432 }, { name: 'tcp-old', port: 5433 }] } }
  const db = virtualService({ hosts: ['db'], tcp: [{ match: [{ port: 5432 }, { port: 5433 }], route: [{ destination: { host: 'db', port: { number: 5432 } } }] }] }, 'db')
  const { tests, coverage } = await json(documents(outer, inner, service, db, routeTest([
    { name: 'delegated', request: { path: '/a', headers: { y: '1' } }, expect: { destination: { subset: 'v2' }, matchedVirtualService: 'default/inner' } },
    { name: 'connection', request: { url: 'tcp://db:5433' }, expect: { destination: { host: 'db', port: 5432 }, matchedVirtualService: 'default/db' } },
  ])))
  assert.deepEqual(tests.map(({ passed }) => passed), [true, true])
  const hits = coverage.rules.filter(({ virtualService: name }) => name !== 'default/bookinfo').map(({ virtualService: name, protocol, rule, match, hits: count }) => [name, protocol, rule, match, count])
  assert.deepEqual(hits, [
    ['default/inner', 'http', 0, 0, 0], ['default/inner', 'http', 0, 1, 1], ['default/inner', 'http', 1, null, 0],
    ['default/db', 'tcp', 0, 0, 0], ['default/db', 'tcp', 0, 1, 1],
  ])
})

test('connections are tested by their server name, and their rules are counted', async () => {
  const gateway = { apiVersion: 'networking.istio.io/v1', kind: 'Gateway', metadata: { name: 'edge' }, spec: { selector: { istio: 'edge' }, servers: [{ port: { number: 8443, name: 'tls', protocol: 'TLS' }, hosts: ['*.pass.example'], tls: { mode: 'PASSTHROUGH' } }] } }
  const rules = virtualService({ hosts: ['*.pass.example'], gateways: ['edge'], tls: [
    { match: [{ sniHosts: ['a.pass.example'] }], route: [{ destination: { host: 'productpage' } }] },
    { match: [{ sniHosts: ['d.pass.example'] }, { sniHosts: ['b.pass.example'] }], route: [{ destination: { host: 'details' } }] },
  ] }, 'pass')
  const { tests, coverage } = await json(documents(gateway, rules, routeTest([
    { name: 'by the URL', from: 'edge', request: { url: 'tls://b.pass.example:8443' }, expect: { destination: { host: 'details', port: 9080 }, protocol: 'tls', tls: { endsHere: false } } },
    { name: 'by its own name', from: 'edge', request: { url: 'tls://10.0.0.1:8443', sni: 'b.pass.example' }, expect: { destination: { host: 'details' } } },
    { name: 'closed', from: 'edge', request: { url: 'tls://c.pass.example:8443' }, expect: { destinations: [] }, not: { tls: {} } },
  ])))
  assert.deepEqual(tests.map(({ passed, failures }) => [passed, failures]), Array(3).fill([true, []]))
  const hits = coverage.rules.filter(({ virtualService: name }) => name === 'default/pass').map(({ protocol, rule, match, hits: count }) => [protocol, rule, match, count])
  assert.deepEqual(hits, [['tls', 0, 0, 0], ['tls', 1, 0, 0], ['tls', 1, 1, 2]])
})

test('JUnit output is XML that a strict parser reads back, whatever names and values hold', async () => {
  const nasty = 'a <b> & "c" \'d\' ]]> \u0000\u001b\ud800 é 🚢\ttab'
  const { code, out } = await run(documents(
    reviews({ match: [{ headers: { x: { exact: nasty.replaceAll(/[^ -~é]/g, '') } } }], route: [to('v2')] }, { route: [to('v1')] }),
    routeTest([{ name: nasty, expect: { destination: { subset: 'v2' } } }, { name: 'passes', expect: { destination: { subset: 'v1' } } }, { name: 'lost', from: 'no/body', expect: { status: 404 } }]),
  ), '-o', 'junit')
  assert.equal(code, 1)
  const suites = parseXml(out)
  assert.deepEqual([suites.name, suites.attributes['tests'], suites.attributes['failures'], suites.attributes['errors']], ['testsuites', '3', '1', '1'])
  const [suite] = suites.children
  assert.deepEqual([suite!.attributes['name'], suite!.attributes['tests'], suite!.children.length], ['default/reviews', '3', 3])
  const [failed, passes, lost] = suite!.children
  assert.equal(failed!.attributes['name'], nasty.toWellFormed().replaceAll('\u0000', '\ufffd').replaceAll('\u001b', '\ufffd'))
  assert.equal(failed!.children[0]!.name, 'failure')
  assert.match(failed!.children[0]!.text, /expected {4}\{ subset: v2 \}\n {4}observed {4}\{ host: reviews\.default\.svc\.cluster\.local, subset: v1/)
  assert.deepEqual([passes!.children.length, passes!.attributes['classname'], lost!.children[0]!.name], [0, 'default/reviews', 'error'])
})

test('whatever explain says, a test that expects it passes, and one that forbids it fails', async () => {
  const few = (values: readonly string[]) => fc.constantFrom(...values)
  const match = fc.record({
    uri: fc.record({ prefix: few(['/', '/a', '/a/b']) }), method: few(['GET', 'POST']).map((exact) => ({ exact })),
    headers: few(['1', '2']).map((exact) => ({ x: { exact } })),
  }, { requiredKeys: [] })
  const action = fc.oneof(
    fc.array(fc.record({ subset: few(['v1', 'v2', 'v9']), weight: fc.integer({ min: 1, max: 100 }) }), { minLength: 1, maxLength: 3 })
      .map((all) => ({ route: all.map(({ subset, weight }) => to(subset, weight)) })),
    few(['/a', '/c']).map((uri) => ({ redirect: { uri } })),
    fc.integer({ min: 200, max: 599 }).map((status) => ({ directResponse: { status } })),
  )
  const extra = fc.record({ timeout: few(['1s', '20ms']), rewrite: fc.constant({ uri: '/r' }), retries: fc.record({ attempts: fc.integer({ min: 0, max: 3 }) }) }, { requiredKeys: [] })
  const rule = fc.tuple(fc.array(match, { maxLength: 2 }), action, extra).map(([matches, what, more]) =>
    ({ ...(matches.length > 0 && { match: matches }), ...what, ...('route' in what ? more : {}) }))
  const request = fc.record({ method: few(['GET', 'POST']), path: few(['/', '/a', '/a/b', '/c']), headers: fc.record({ x: few(['1', '2', '3']) }, { requiredKeys: [] }) })
  await fc.assert(fc.asyncProperty(fc.array(rule, { minLength: 1, maxLength: 4 }), fc.array(request, { minLength: 1, maxLength: 4 }), async (rules, requests) => {
    const virtual = reviews(...rules)
    const answers: Answer[] = []
    for (const { method, path, headers } of requests) {
      const io = captureIo(documents(virtual))
      const options = Object.entries(headers).flatMap(([name, value]) => ['--header', `${name}: ${value}`])
      assert.equal(await main(['explain', '-f', mesh, '-f', '-', '--from', 'productpage-v1', '--request', `${method} http://reviews:9080${path}`, ...options, '-o', 'json'], io), 0, io.err())
      answers.push(JSON.parse(io.out()) as Answer)
    }
    const tests = answers.flatMap((answer, index) => {
      const said = expectationOf(answer)
      return [
        { name: `${index} all`, request: requests[index], expect: said },
        ...Object.entries(said).map(([field, value]) => ({ name: `${index} not ${field}`, request: requests[index], not: { [field]: value } })),
      ]
    })
    const report = await json(documents(virtual, routeTest(tests)))
    assert.deepEqual(report.tests.filter(({ name, passed }) => passed !== name.endsWith('all')).map(({ name, failures, error }) => ({ name, failures, error })), [])
  }), { numRuns: 30 })
})

/** All that an answer says, as a test would expect it. */
function expectationOf(answer: Answer): Readonly<Record<string, unknown>> {
  const { destinations, status, matchedVirtualService, routeIndex, matchIndex, rewrite, redirect, directResponse, retries, timeout, blocked, passthrough, listener, virtualHost, mirrors } = answer
  const all = { status, matchedVirtualService, routeIndex, matchIndex, rewrite, redirect, directResponse, retries, timeout, listener, virtualHost }
  const known = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== null).map(([name, value]) => [name, withoutNulls(value)]))
  return { ...known, destinations: withoutNulls(destinations), blocked, passthrough, mirrors, denied: answer.denied !== false }
}

const withoutNulls = (value: unknown): unknown => JSON.parse(JSON.stringify(value, (_, inner: unknown) => (inner === null ? undefined : inner)))

test('a mesh takes no notice of tests that stand beside its configuration', async () => {
  const read = async (...all: readonly object[]) => {
    const { state, healthy } = await readOffline(parseArguments(['-f', mesh, '-f', '-'], { options: [fileOption], operands: [] }), captureIo(documents(...all)))
    return { healthy, known: state.board.resources.map(({ key }) => key), written: state.snapshot.written.length }
  }
  const bare = await read(jason)
  assert.deepEqual(await read(jason, routeTest([{ name: 'one', expect: { status: 404 } }])), bare)
  assert.equal(bare.healthy, true)
})

test('the program ends with the exit code for CI: 0, 1 and 64', async () => {
  const spawned = (yaml: string, ...more: readonly string[]) => new Promise<number>((resolve) => {
    const child = execFile(process.execPath, [join(root, 'bin/trysail.js'), 'test', '-f', mesh, '-f', '-', ...more], { timeout: 60_000 }, (error) => resolve(error === null ? 0 : Number(error.code)))
    child.stdin!.end(yaml)
  })
  const expecting = (subset: string) => documents(jason, routeTest([{ name: 'one', expect: { destination: { subset } } }]))
  assert.deepEqual([await spawned(expecting('v1')), await spawned(expecting('v2')), await spawned('', '--coverage-min', 'most')], [0, 1, 64])
})

test('configuration is made and compiled once for each client, however many tests there are', async (context) => {
  const tests = (count: number) => Array.from({ length: count }, (_, index) => ({ name: `${index}`, request: { path: `/reviews/${index}` }, expect: { destination: { subset: 'v1' } } }))
  const compiledFor = async (count: number): Promise<number> => {
    const text = documents(jason, routeTest(tests(count)), routeTest([{ name: 'another client', from: 'ratings-v1', expect: { destination: { subset: 'v1' } } }], 'another'))
    const offline = await readOffline(parseArguments(['-f', mesh, '-f', '-'], { options: [fileOption], operands: [] }), captureIo(text))
    const connect = context.mock.method(offline.state, 'connect')
    assert.equal(runCases(offline, casesIn(offline.resources), () => {}).filter(passed).length, count + 1)
    return connect.mock.callCount()
  }
  const few = await compiledFor(20)
  assert.ok(few > 0 && few < 20, `${few} times`)
  assert.equal(await compiledFor(400), few)
})
