// Bad days of resolvers: slow, failing, lying and flooding ones; what is kept of good ones, for how long, and how much at a time.
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect } from 'node:net'
import { test } from 'node:test'
import { Forwarder } from '../../src/agent/dns/forwarder.ts'
import { DnsCounts } from '../../src/agent/dns/counts.ts'
import { framed } from '../../src/codec/dns/frames.ts'
import { readQuery } from '../../src/codec/dns/message.ts'
import { spawn } from '../../src/lib/errors.ts'
import { Resolver, askTcp, ip, query, read, reply, soa, types } from '../support/dns-peers.ts'
import type { Behaviour } from '../support/dns-peers.ts'
import { looked, startDns } from '../support/dns-world.ts'
import type { DnsWorld } from '../support/dns-world.ts'
import { manualClock } from '../support/manual-clock.ts'

const says = (address: string, ttl = 60): Behaviour => (asked) => reply(asked, { answers: [{ type: types.A, ttl, data: ip(address) }] })
const fails: Behaviour = (asked) => reply(asked, { flags: 0x8182 })
const silent: Behaviour = () => undefined
const noSuchName = (minimum: number): Behaviour => (asked) => reply(asked, { flags: 0x8183, authority: [soa(600, minimum)] })

/** Queries that each resolver got. */
const askedOf = (resolvers: readonly Resolver[]): readonly number[] => resolvers.map(({ asked }) => asked.length)

test('a resolver that fails or refuses is followed by the next, at once; what the last one says is said', async () => {
  await using first = await Resolver.start(fails)
  await using second = await Resolver.start((asked) => reply(asked, { flags: 0x8185 }))
  await using third = await Resolver.start(says('192.0.2.1', 0))
  const resolvers = [first, second, third]
  await using world = await startDns(resolvers)
  for (let i = 0; i < 5; i++) assert.deepEqual(await looked(world, `n${i}.example.net`), ['0 A 192.0.2.1'])
  assert.equal(third.asked.length, 5)
  assert.ok(first.asked.length + second.asked.length <= 2, 'the one that answered is asked first from then on')
  third.behaviour = fails
  assert.ok(['code 2', 'code 5'].includes((await looked(world, 'bad.example.net'))[0]!))
  assert.equal(world.count('dns_upstream_failures_total'), 0, 'to be refused is an answer')
})

test('a silent resolver is followed by the next after a second, and when all are silent the client is told in time', async () => {
  const clock = manualClock()
  await using lost = await Resolver.start(silent)
  await using world = await startDns([lost], { clock })
  const asked = looked(world, 'example.net')
  await lost.untilAsked(1)
  await clock.advance(1000)
  await lost.untilAsked(2)
  await clock.advance(4000)
  assert.deepEqual(await asked, ['code 2'])
  assert.equal(world.count('dns_upstream_failures_total'), 1)
  await using good = await Resolver.start(says('192.0.2.1'))
  await using both = await startDns([lost, good], { clock, forwardParallel: true })
  assert.deepEqual(await looked(both, 'example.net'), ['60 A 192.0.2.1'], 'all at once: nobody is waited for')
})

test('nobody listens there: the client hears it at once, by UDP and by TCP', async () => {
  const gone = await Resolver.start(silent)
  await gone[Symbol.asyncDispose]()
  await using world = await startDns([gone], { clock: manualClock() })
  assert.deepEqual(await looked(world, 'example.net'), ['code 2'])
  assert.equal(read((await askTcp(world.at, [query('example.net')]))[0]!).rcode, 2)
})

test('responses to something else are passed over, and who sends many of them is not listened to', async () => {
  const wrongId = (message: Buffer): Buffer => {
    const copy = Buffer.from(message)
    copy.writeUInt16BE((copy.readUInt16BE(0) + 1) & 0xffff, 0)
    return copy
  }
  await using liar = await Resolver.start((asked) => [
    wrongId(reply(asked, { answers: [{ type: types.A, ttl: 60, data: ip('6.6.6.6') }] })), Buffer.concat([asked.subarray(0, 2), query('other.example.net').subarray(2)]),
    reply(Buffer.concat([asked.subarray(0, 2), query('other.example.net').subarray(2)]), { answers: [{ type: types.A, ttl: 60, data: ip('6.6.6.6') }] }),
    asked, Buffer.from('short'), reply(asked, { answers: [{ type: types.A, ttl: 60, data: ip('192.0.2.1') }] }),
  ])
  await using world = await startDns([liar])
  assert.deepEqual(await looked(world, 'example.net'), ['60 A 192.0.2.1'])
  assert.equal(world.count('trysail_dns_upstream_mismatched_total'), 5)
  liar.behaviour = (asked) => Array.from({ length: 25 }, () => wrongId(reply(asked)))
  assert.deepEqual(await looked(world, 'flood.example.net'), ['code 2'])
  const tcp = await askTcp(world.at, [query('flood.example.net')])
  assert.equal(read(tcp[0]!).rcode, 2)
})

test('a response that is truncated is passed on as such, never kept, and the way by TCP brings it whole', async () => {
  const whole = Array.from({ length: 100 }, (_, i) => ({ type: types.A, ttl: 60, data: ip(`192.0.2.${i}`) }))
  await using resolver = await Resolver.start((asked, over) => over === 'tcp' ? reply(asked, { answers: whole }) : reply(asked, { flags: 0x8380 }))
  await using world = await startDns([resolver])
  for (let i = 0; i < 2; i++) assert.equal(read(await world.udp(query('big.example.net'))).flags & 0x0200, 0x0200)
  assert.deepEqual(resolver.asked.map(({ over }) => over), ['udp', 'udp'])
  assert.equal(read((await askTcp(world.at, [query('big.example.net')]))[0]!).answers.length, 100)
  const kept = await world.udp(query('big.example.net'))
  assert.equal(world.ended('cache'), 1)
  assert.ok(kept.length <= 512 && (kept.readUInt16BE(2) & 0x0200) !== 0, 'what is kept is too long for a datagram')
  resolver.behaviour = (asked) => reply(asked, { answers: whole })
  assert.ok((await world.udp(query('huge.example.net'))).length <= 512, 'a resolver sent more than was asked for')
})

test('answers are kept for as long as they say, with less time to live each time, in the letters of who asks', async () => {
  const clock = manualClock()
  await using resolver = await Resolver.start(says('192.0.2.1', 60))
  await using world = await startDns([resolver], { clock })
  await looked(world, 'example.net')
  await clock.advance(20_500)
  const asked = query('eXample.NET', types.A, { id: 7 })
  const response = await world.udp(asked)
  assert.deepEqual(response, reply(asked, { answers: [{ type: types.A, ttl: 40, data: ip('192.0.2.1') }] }))
  await clock.advance(39_500)
  assert.deepEqual(await looked(world, 'example.net'), ['60 A 192.0.2.1'])
  assert.equal(resolver.asked.length, 2)
  assert.equal(world.ended('cache'), 1)
})

test('no longer than five minutes, or half a one for names that there are not; what says no time is not kept', async () => {
  const clock = manualClock()
  await using resolver = await Resolver.start(says('192.0.2.1', 86_400))
  await using world = await startDns([resolver], { clock })
  const askedAfter = async (name: string, ms: number, behaviour: Behaviour): Promise<number> => {
    const before = resolver.asked.length
    resolver.behaviour = behaviour
    await looked(world, name)
    await clock.advance(ms)
    await looked(world, name)
    return resolver.asked.length - before
  }
  assert.equal(await askedAfter('a.example.net', 299_000, says('192.0.2.1', 86_400)), 1)
  assert.equal(await askedAfter('b.example.net', 301_000, says('192.0.2.1', 86_400)), 2)
  assert.equal(await askedAfter('c.example.net', 29_000, noSuchName(3600)), 1)
  assert.equal(await askedAfter('d.example.net', 31_000, noSuchName(3600)), 2)
  assert.equal(await askedAfter('e.example.net', 11_000, noSuchName(10)), 2)
  assert.equal(await askedAfter('f.example.net', 0, (asked) => reply(asked, { flags: 0x8183 })), 2)
  assert.equal(await askedAfter('g.example.net', 0, says('192.0.2.1', 0)), 2)
  assert.equal(await askedAfter('h.example.net', 0, fails), 2 * 1)
})

test('what depends on more than the question is asked each time', async () => {
  await using resolver = await Resolver.start(says('192.0.2.1'))
  await using world = await startDns([resolver])
  const cookie = Buffer.from('000a00080102030405060708', 'hex')
  const asks = [query('example.net'), query('example.net', types.A, { flags: 0x0110 }), query('example.net', types.A, { edns: {} }), query('example.net', types.A, { edns: { dnssecOk: true } }), query('example.net', types.AAAA), query('example.net', types.A, { class: 4 })]
  for (const one of [...asks, ...asks]) await world.udp(one)
  assert.equal(resolver.asked.length, asks.length)
  for (let i = 0; i < 2; i++) await world.udp(query('example.net', types.A, { edns: { options: cookie } }))
  assert.equal(resolver.asked.length, asks.length + 2)
})

test('the same question of many at once is asked once, and each gets it with an id of its own', async () => {
  const answers: (() => void)[] = []
  await using resolver = await Resolver.start((asked, _, send) => void answers.push(() => send(reply(asked, { answers: [{ type: types.A, ttl: 0, data: ip('192.0.2.1') }] }))))
  await using world = await startDns([resolver])
  const asked = Array.from({ length: 20 }, (_, id) => query(id % 2 === 0 ? 'example.net' : 'EXAMPLE.net', types.A, { id }))
  const responses = asked.map((one) => world.udp(one))
  await resolver.untilAsked(1)
  await world.until(() => world.count('dns_requests_total') === 20)
  for (const answer of answers) answer()
  for (const [id, response] of (await Promise.all(responses)).entries()) assert.deepEqual(response, reply(asked[id]!, { answers: [{ type: types.A, ttl: 0, data: ip('192.0.2.1') }] }))
  assert.deepEqual(askedOf([resolver]), [1])
})

test('no more is under way at a time than is allowed', async () => {
  await using resolver = await Resolver.start(silent)
  const clock = manualClock()
  const forwarder = new Forwarder({ servers: () => [resolver.address], timeoutMs: 5000, parallel: false, maxQueries: 2, clock, counts: new DnsCounts() })
  const ask = (name: string) => {
    const asked = query(name)
    const read = readQuery(asked)
    assert.ok(read.kind === 'query')
    return forwarder.forward(asked, read.query, 'udp')
  }
  const open = [ask('a'), ask('b')]
  assert.deepEqual(await ask('c'), { from: 'too-many' })
  await resolver.untilAsked(2)
  await clock.advance(5000)
  assert.deepEqual(await Promise.all(open), [{ from: 'failed' }, { from: 'failed' }])
  forwarder.close()
  assert.equal(clock.waiting, 0)
})

test('a resolver that is the proxy itself is never asked', async () => {
  let world: DnsWorld | undefined
  await using made = (world = await startDns([], { resolvers: () => ({ servers: world === undefined ? [] : [world.at], search: [] }) }))
  assert.deepEqual(await looked(made, 'example.net'), ['code 3'])
  assert.equal(made.count('dns_upstream_requests_total'), 0)
})

test('connections that say nothing are closed after ten seconds, and so is one that does not read its answers', async () => {
  const clock = manualClock()
  await using world = await startDns([], { clock })
  const silentOne = connect(world.at.port, world.at.host)
  const closed = once(silentOne.resume(), 'close')
  await world.until(() => clock.waiting === 1)
  await clock.advance(10_000)
  await closed
  const deaf = connect(world.at.port, world.at.host)
  deaf.pause().on('error', () => {})
  const frames = Buffer.concat(Array.from({ length: 64 }, () => framed(query('db'))))
  const fill = (): void => {
    while (!deaf.destroyed && deaf.write(frames));
  }
  deaf.on('drain', fill)
  fill()
  await world.until(() => {
    spawn('time', clock.advance(10_000))
    return deaf.destroyed
  })
})

test('whatever bytes come, by UDP or TCP, the next query is answered', async () => {
  await using world = await startDns()
  const noise = (seed: number): Buffer => {
    const bytes = query('reviews', types.A, { edns: {} })
    for (let i = 0; i < 4; i++) bytes[(seed * 7919 + i * 104_729) % bytes.length] = (seed * 31 + i * 17) & 0xff
    return bytes.subarray(0, 1 + (seed * 13) % bytes.length)
  }
  const socket = createSocket('udp4').bind(0, '127.0.0.1')
  for (let seed = 1; seed <= 2000; seed++) {
    socket.send(noise(seed), world.at.port, world.at.host)
    if (seed % 50 === 0) assert.deepEqual(await looked(world, 'reviews'), ['30 A 10.0.0.1'])
  }
  socket.close()
  for (let seed = 1; seed <= 100; seed++) {
    const client = connect(world.at.port, world.at.host).on('error', () => {}).resume()
    client.end(noise(seed))
    await once(client, 'close')
  }
  assert.deepEqual(await looked(world, 'reviews'), ['30 A 10.0.0.1'])
})
