import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import { AnySchema } from '@bufbuild/protobuf/wkt'
import { manualClock } from '../../../test/support/manual-clock.ts'
import { ListenSet } from '../../net/listen-set.ts'
import type { BoundSocket } from '../../net/listen-set.ts'
import { SecretListeners } from '../identity/secret-listeners.ts'
import { nothingAccepted, resourceTypes } from '../xds/accepted.ts'
import type { FromThread, ThreadHandle, ToThread } from './link.ts'
import { ThreadSet } from './thread-set.ts'

class FakeThread implements ThreadHandle {
  readonly said: ToThread[] = []
  readonly gone: readonly BoundSocket[] | 'all'
  ended = false
  onMessage: (message: FromThread) => void = () => {}
  onExit: (reason: string) => void = () => {}

  constructor(gone: readonly BoundSocket[] | 'all') {
    this.gone = gone
  }

  send(message: ToThread): void {
    this.said.push(structuredClone(message))
  }

  end(): void {
    this.ended = true
  }

  get kinds(): string[] {
    return this.said.map(({ kind }) => kind)
  }
}

function setUp(count = 1) {
  const clock = manualClock()
  const threads: FakeThread[] = []
  const logs: string[] = []
  const accepted = nothingAccepted()
  const listeners = new SecretListeners()
  let chain = 'first'
  const identity = {
    certificate: () => ({ chain, key: 'key' }), trust: () => ({ roots: 'roots', crl: '' }), onChange: (changed: (name: string) => void) => listeners.add(changed),
  }
  const set = new ThreadSet({
    count, clock, identity, sockets: new ListenSet({ sharing: 'first' }), log: (line) => logs.push(line), audit() {}, missingKey: (source) => logs.push(`missing: ${source}`),
    spawn(_number, gone) {
      const thread = new FakeThread(gone)
      threads.push(thread)
      return thread
    },
  }, accepted)
  const rotate = (): void => {
    chain = 'second'
    listeners.tell('default')
  }
  return { clock, threads, logs, accepted, set, rotate }
}

const update = (name: string) => ({
  typeUrl: resourceTypes.clusters, version: '1', removed: [],
  resources: [{ name, version: '1', any: create(AnySchema, { typeUrl: resourceTypes.clusters, value: new Uint8Array(new ArrayBuffer(1000), 10, 3).fill(7) }) }],
})
const report = (value: number): FromThread => ({
  kind: 'report', report: { counters: [{ name: 'cluster.a.upstream_rq_total', value }, { name: 'cluster.a.upstream_cx_active', value: 1 }], metrics: [], clusters: [], inboundPeers: { since: '', ports: [], plaintext: [], forgotten: 0 } },
})

test('threads are ready when all of them are; each is told identity, addresses and updates, and only the bytes of those', async () => {
  const { set, threads, rotate } = setUp(2)
  let ready = false
  void set.whenReady.then(() => (ready = true))
  threads[0]!.onMessage({ kind: 'ready' })
  await Promise.resolve()
  assert.equal(ready, false)
  threads[1]!.onMessage({ kind: 'ready' })
  await set.whenReady
  set.feed(update('a'))
  rotate()
  for (const { kinds, said } of threads) {
    assert.deepEqual(kinds, ['identity', 'bound', 'update', 'identity'])
    const sent = said[2]
    assert.ok(sent?.kind === 'update')
    assert.deepEqual(sent.update.resources.map(({ bytes }) => [[...bytes], bytes.buffer.byteLength]), [[[7, 7, 7], 3]])
    assert.ok(said[3]?.kind === 'identity' && said[3].certificate?.chain === 'second')
  }
})

test('a key that a thread misses is asked for by the first one, which has the line to the control plane', () => {
  const { threads, logs } = setUp(2)
  threads[1]!.onMessage({ kind: 'missing-key', source: 'https://issuer.example/keys' })
  assert.deepEqual(logs, ['missing: https://issuer.example/keys'])
})

test('a thread that breaks is replaced after a while, and the new one is told everything that was accepted', async () => {
  const { set, threads, logs, accepted, clock } = setUp()
  const { resources } = update('a')
  accepted.clusters.record(resources, [], new Map(), '1', 0)
  set.feed(update('a'))
  threads[0]!.onMessage(report(5))
  threads[0]!.onExit('out of memory')
  assert.equal(threads.length, 1)
  assert.match(logs[0]!, /^thread 1 has ended, its connections are lost: out of memory; another one takes its place in \d+ ms$/)
  await clock.advance(250)
  assert.deepEqual([threads.length, threads[1]!.gone, threads[1]!.kinds], [2, [], ['identity', 'bound', 'update']])
  const asked = set.reports()
  threads[1]!.onMessage(report(1))
  const { counted } = await asked
  assert.deepEqual(counted.map(({ counters }) => counters.map(({ value }) => value)), [[1, 1], [5]], 'what it had counted stays counted')
})

test('who replaces a thread that broke before it was ready inherits what that one had not taken; afterwards there is nothing left', async () => {
  const { threads, clock } = setUp()
  const socket = (fd: number): BoundSocket => ({ address: { host: '127.0.0.1', port: 80 + fd }, on: { fd } })
  const replace = async () => {
    threads.at(-1)!.onExit('it breaks')
    await clock.advance(30_000)
    return threads.at(-1)!.gone
  }
  assert.deepEqual(threads[0]!.gone, [])
  threads[0]!.onMessage({ kind: 'sockets', sockets: [socket(1)] })
  assert.deepEqual(await replace(), [socket(1)])
  threads[1]!.onMessage({ kind: 'sockets', sockets: [socket(2)] })
  assert.deepEqual(await replace(), [socket(1), socket(2)])
  threads[2]!.onMessage({ kind: 'ready' })
  assert.equal(await replace(), 'all')
})

test('a thread that breaks at every start is tried less and less often', async () => {
  const { threads, clock } = setUp()
  const waits: number[] = []
  for (let i = 0; i < 12; i++) {
    threads.at(-1)!.onExit('it breaks')
    let waited = 0
    for (const before = threads.length; threads.length === before; waited += 25) await clock.advance(25)
    waits.push(waited)
  }
  assert.ok(waits[0]! <= 250 && waits.at(-1)! >= 15_000 && waits.every((one) => one <= 30_025), waits.join(' '))
})

test('a thread that does not answer is shown as it was before', async () => {
  const { set, threads, clock } = setUp()
  threads[0]!.onMessage(report(5))
  const asked = set.reports()
  await clock.advance(1000)
  assert.equal((await asked).threads[0]!.counters[0]!.value, 5)
})

test('a drain is given to all threads at once, and one that never ends is not waited for', async () => {
  const { set, threads, clock } = setUp(2)
  const drained = set.drain(5000)
  assert.deepEqual(threads.map(({ said }) => said.at(-1)), Array.from({ length: 2 }, () => ({ kind: 'drain', timeoutMs: 5000, inboundOnly: false })))
  threads[0]!.onMessage({ kind: 'drained', left: 3 })
  await clock.advance(7000)
  assert.equal(await drained, 3)
  const closed = set.close()
  threads[1]!.onMessage({ kind: 'closed' })
  await clock.advance(2000)
  await closed
  assert.deepEqual(threads.map(({ ended }) => ended), [true, true])
  threads[0]!.onExit('')
  await clock.advance(60_000)
  assert.equal(threads.length, 2, 'what was told to end is not replaced')
})
