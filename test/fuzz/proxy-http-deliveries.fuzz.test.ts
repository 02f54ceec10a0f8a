// Executed at most once: servers that fail in every way there is count what reached them. A request that may have been
// processed is never delivered again unless its route allows it, and then no more often than it says.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { freePort } from '../support/hosts.ts'
import { onHeads, scriptedPeer } from '../support/http-peers.ts'
import { HttpWorld, routeTo } from '../support/http-world.ts'
import type { ActionInit } from '../support/http-world.ts'

/** What a server does with one request, once it has its head. */
const deeds = ['answer', 'answer', 'answer', '503', 'close', 'reset', 'half a head', 'half a body', 'answer and close', 'garbage'] as const
type Deed = (typeof deeds)[number]

const answers: Readonly<Record<Deed, string>> = {
  'answer': 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok', '503': 'HTTP/1.1 503 no\r\ncontent-length: 0\r\n\r\n', 'close': '', 'reset': '',
  'half a head': 'HTTP/1.1 200 O', 'half a body': 'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf', 'garbage': 'SMTP ready\r\n\r\n',
  'answer and close': 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok',
}
const stays: ReadonlySet<Deed> = new Set(['answer', '503'])

const policy = (retryOn: string, numRetries = 3): ActionInit => ({
  retryPolicy: { retryOn, numRetries, retryBackOff: { baseInterval: { nanos: 1_000_000 } }, retryHostPredicate: [{ name: 'envoy.retry_host_predicates.previous_hosts' }] },
})

/** Policies that repeat nothing that was delivered. */
const careful = ['', 'connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes', 'connect-failure', 'reset-before-request', 'refused-stream,deadline-exceeded']
/** Policies that repeat what was delivered, so many times at most. */
const bold = ['5xx', 'reset', 'gateway-error', '5xx,reset-before-request']

async function deliveriesOf(script: readonly Deed[], methods: readonly string[], action: ActionInit): Promise<{ counts: number[]; statuses: number[] }> {
  const delivered = new Map<string, number>()
  let next = 0
  const serve = () => scriptedPeer((socket) => onHeads(socket, (head) => {
    const id = /x-id: (\d+)/.exec(head)![1]!
    delivered.set(id, (delivered.get(id) ?? 0) + 1)
    const deed = script[next++ % script.length]!
    if (deed === 'reset') socket.resetAndDestroy()
    else if (stays.has(deed)) socket.write(answers[deed])
    else socket.end(answers[deed])
  }))
  await using one = await serve()
  await using two = await serve()
  // The dead server is at an address of its own: a free port of 127.0.0.1 may be another test's by now.
  await using world = await HttpWorld.start({ clusters: { up: [one.address, two.address, { host: '127.91.0.1', port: await freePort() }] }, routes: [routeTo('up', '/', action)] })
  const statuses: number[] = []
  for (const [id, method] of methods.entries()) {
    // A connection of its own: a response that is cut off takes its connection along.
    await using client = await world.client()
    client.send(`${method} / HTTP/1.1\r\nhost: a\r\nx-id: ${id}\r\ncontent-length: ${method === 'GET' ? 0 : 4}\r\n\r\n${method === 'GET' ? '' : 'body'}`)
    await world.untilEnded(id + 1)
    statuses.push(world.last.responseCode)
  }
  return { counts: methods.map((_, id) => delivered.get(String(id)) ?? 0), statuses }
}

const scripts = fc.array(fc.constantFrom(...deeds), { minLength: 3, maxLength: 12 })
const unsafe = fc.array(fc.constantFrom('POST', 'PUT', 'PATCH', 'DELETE'), { minLength: 3, maxLength: 8 })
const runs = Number(process.env['FUZZ_RUNS'] ?? 40)

test('a request that is not safe reaches a server once at most, whatever servers do, unless its route allows more', async () => {
  await fc.assert(fc.asyncProperty(scripts, unsafe, fc.constantFrom(...careful), async (script, methods, retryOn) => {
    const { counts, statuses } = await deliveriesOf(script, methods, retryOn === '' ? {} : policy(retryOn))
    assert.ok(counts.every((count) => count <= 1), `${counts.join()} with ${retryOn}`)
    assert.ok(statuses.every((status, id) => status !== 200 || counts[id] === 1), 'what was answered was delivered')
  }), { numRuns: runs })
})

test('where its route allows more, it reaches servers as often as the route says at most', async () => {
  await fc.assert(fc.asyncProperty(scripts, unsafe, fc.constantFrom(...bold), fc.integer({ min: 1, max: 3 }), async (script, methods, retryOn, retries) => {
    const { counts } = await deliveriesOf(script, methods, policy(retryOn, retries))
    assert.ok(counts.every((count) => count <= retries + 1), `${counts.join()} with ${retries} retries on ${retryOn}`)
  }), { numRuns: runs })
})

test('a safe request may be asked again on a stale connection, three times at most for each try', async () => {
  await fc.assert(fc.asyncProperty(scripts, fc.constantFrom(...careful), async (script, retryOn) => {
    const { counts } = await deliveriesOf(script, ['GET', 'GET', 'GET', 'GET'], retryOn === '' ? {} : policy(retryOn))
    assert.ok(counts.every((count) => count <= 4), `${counts.join()} with ${retryOn}`)
  }), { numRuns: Math.ceil(runs / 2) })
})
