// Every case of HTTP is asked in all three ways, but for those that are named with a reason: counted here, so that none is left
// out unseen.
import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { test } from 'node:test'
import type { Case } from './case.ts'
import { grpc, http2, reasonsAgainst } from './over.ts'

const folder = new URL('cases/', import.meta.url)
const tables: readonly (readonly [file: string, cases: readonly Case[]])[] = await Promise.all(readdirSync(folder).sort().map(async (file) => {
  const exported = Object.values((await import(new URL(file, folder).href)) as Record<string, readonly Case[]>)
  return [file.replace('.ts', ''), exported.flat()] as const
}))

/** Tables that are asked only as they are written, and why. */
const asTheyAre: Readonly<Record<string, string>> = {
  http2: 'about HTTP/2 and gRPC as it is',
  'http2-upstream': 'about HTTP/2 and gRPC as it is',
  connect: 'CONNECT and upgrades are one thing in HTTP/1.1 and another in HTTP/2: it has cases of both',
  'tls-gateways': 'asked by curl, which chooses by ALPN',
}

test('each table is run in all three ways, or is named here', () => {
  const suites = readdirSync(new URL('.', import.meta.url)).filter((file) => file.endsWith('.test.ts') && file !== 'over.test.ts').map((file) => readFileSync(new URL(file, import.meta.url), 'utf8'))
  for (const [table] of tables) {
    const runs = suites.filter((text) => text.includes(`'./cases/${table}.ts'`))
    assert.ok(runs.length > 0, `${table} is run nowhere`)
    const inAllWays = runs.some((text) => text.includes('[asWritten, http2, grpc]') || (text.includes('inWay(http2, all)') && text.includes('inWay(grpc, all)')))
    if (asTheyAre[table] === undefined) assert.ok(inAllWays, table)
  }
})

test('what is not asked over HTTP/2 nor as gRPC has a reason, and there are so many of each', () => {
  const cases = tables.filter(([table]) => asTheyAre[table] === undefined).flatMap(([, all]) => all)
  const left = cases.filter((one) => http2.of(one) === undefined)
  assert.deepEqual(cases.filter((one) => grpc.of(one) === undefined), left)
  const counts: Record<string, number> = {}
  for (const reason of left.map((one) => [...new Set(reasonsAgainst(one))].join('; '))) counts[reason] = (counts[reason] ?? 0) + 1
  assert.deepEqual(counts, {
    'bytes of HTTP/1.1, or of no HTTP at all': 88, 'about curl': 6, 'HTTP/2 goes on as such, which the backends behind it do not speak': 1, 'has words of its own, see cases/http2.ts': 1, 'a field of HTTP/1.1 alone': 1,
    'there are none, and a length of 0 is not said where END_STREAM says it': 1, 'a client of HTTP/2 may not send them': 1, 'shows %PROTOCOL%; see cases/http2.ts': 1, "node's client does not send it": 1, 'a value that ends in a space is none': 1,
  })
  const requests: Record<string, number> = {}
  for (const reason of cases.filter((one) => !left.includes(one)).flatMap(reasonsAgainst)) requests[reason] = (requests[reason] ?? 0) + 1
  assert.deepEqual(requests, {
    'bytes of HTTP/1.1, or of no HTTP at all': 8, 'over HTTP/2 as it is': 6, 'a longer body is asked over HTTP/2 beside it, where Envoy lets it through in one piece': 3,
    'a length of 0 on a stream that is still open is no body for us, and an empty one for Envoy, which says so to the provider': 1,
    'of 10 bytes without a length nobody knows yet whether they are all: we say that they may not be, Envoy that they are': 1,
  })
  assert.deepEqual([cases.length, left.length], [509, 102])
})
