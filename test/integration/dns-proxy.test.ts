// The DNS proxy on real sockets: what it answers itself, how other queries pass, and bad days of resolvers.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Resolver, askTcp, query, read, reply, soa, types } from '../support/dns-peers.ts'
import { dnsNames, freeDnsPort, looked, startDns } from '../support/dns-world.ts'

const mesh = dnsNames

test('names of the mesh are answered as the client may write them, the missing family with nothing, search domains with an alias', async () => {
  await using world = await startDns()
  for (const name of ['reviews', 'reviews.default', 'reviews.default.svc', 'REVIEWS.default.SVC.cluster.local']) assert.deepEqual(await looked(world, name), ['30 A 10.0.0.1'], name)
  assert.deepEqual(await looked(world, 'ratings.other'), ['30 A 10.0.0.2'])
  assert.deepEqual(await looked(world, 'ratings.other', types.AAAA), ['30 AAAA fd000000000000000000000000000002'])
  assert.deepEqual(await looked(world, 'reviews', types.AAAA), [])
  assert.deepEqual(await looked(world, 'ratings'), ['code 3'], 'of another namespace, by its name alone')
  assert.deepEqual(await looked(world, 'db-0.db'), ['30 A 10.0.1.1'])
  assert.deepEqual(await looked(world, 'any.example.org'), ['30 A 240.240.0.2'])
  assert.deepEqual(await looked(world, 'a.b.deep.example.org'), ['30 A 240.240.0.3'])
  assert.deepEqual(await looked(world, 'example.org'), ['code 3'], 'a wildcard is for what is below')
  for (const [name, address] of [['ratings.other', '10.0.0.2'], ['api.example.com', '240.240.0.1'], ['x.example.org', '240.240.0.2']] as const) {
    const [alias, ...rest] = await looked(world, `${name}.default.svc.cluster.local`)
    assert.match(alias!, /^30 CNAME /)
    assert.deepEqual(rest, [`30 A ${address}`])
  }
  assert.equal(world.ended('mesh'), 13)
})

test('a response says what a server of these names says, and repeats the question in the letters of the client', async () => {
  await using world = await startDns()
  const asked = query('ReViews', types.A, { id: 0xbeef, edns: { udpBytes: 4096, dnssecOk: true } })
  const response = await world.udp(asked)
  assert.equal(response.readUInt16BE(0), 0xbeef)
  assert.equal(response.readUInt16BE(2), 0x8580, 'response, authoritative, recursion desired and available')
  assert.deepEqual(response.subarray(12, 12 + 13), asked.subarray(12, 12 + 13))
  assert.equal(response.subarray(-11).toString('hex'), '00002904d0000080000000', 'EDNS with the flag that the client set')
  assert.equal(read(await world.udp(query('reviews', types.A, { edns: { version: 1 } }))).rcode, 0)
  assert.equal((await world.udp(query('reviews', types.A, { edns: { version: 1 } }))).at(-6), 1, 'BADVERS is 16: its upper bits are in EDNS')
})

test('many addresses are cut to what the client takes in a datagram, and come whole by TCP, in another order each time', async () => {
  await using world = await startDns()
  const plain = read(await world.udp(query('db')))
  assert.ok((plain.flags & 0x0200) !== 0 && plain.answers.length > 20 && plain.answers.length < 32, `${plain.answers.length}`)
  const more = read(await world.udp(query('db', types.A, { edns: { udpBytes: 4096 } })))
  assert.ok((more.flags & 0x0200) !== 0 && more.answers.length > 200)
  const [first, second] = (await askTcp(world.at, [query('db'), query('db')])).map(read)
  assert.equal(first!.answers.length, 300)
  assert.equal(first!.flags & 0x0200, 0)
  assert.notDeepEqual(first!.answers, second!.answers)
  assert.deepEqual([...first!.answers].sort(), [...second!.answers].sort())
})

test('before the names are known nobody is told that there are none', async () => {
  await using world = await startDns([], { names: undefined })
  assert.deepEqual(await looked(world, 'reviews'), ['code 2'])
  world.proxy.take(mesh)
  await world.proxy.whenNamed
  assert.deepEqual(await looked(world, 'reviews'), ['30 A 10.0.0.1'])
})

test('other queries pass byte for byte but for their id, which nobody can guess, and so do responses', async () => {
  const odd = (asked: Buffer) => reply(asked, {
    flags: 0x81b0 | (asked.readUInt16BE(2) & 0x7800), answers: [{ type: 65280, ttl: 5, data: Buffer.from('0a0b0c', 'hex') }, { type: types.RRSIG, ttl: 5, data: Buffer.alloc(40, 7) }],
  })
  await using resolver = await Resolver.start(odd)
  await using world = await startDns([resolver])
  const queries = [
    query('example.com', types.TXT), query('Example.COM', types.HTTPS, { edns: { dnssecOk: true, options: Buffer.from('000a00080102030405060708', 'hex') } }),
    query('_x._tcp.example.com', types.SRV, { flags: 0x0130 }), query('example.com', 65280, { class: 3 }), query('example.com', types.A, { flags: 0x2900 }), query('', types.NS),
    query('with\\000\\.odd\\255', types.A),
  ]
  for (const [index, asked] of queries.entries()) {
    const response = await (index % 2 === 0 ? world.udp(asked) : askTcp(world.at, [asked]).then(([only]) => only!))
    const got = resolver.asked.at(-1)!
    assert.equal(got.over, index % 2 === 0 ? 'udp' : 'tcp')
    assert.deepEqual(got.message.subarray(2), asked.subarray(2))
    assert.deepEqual(response, odd(asked))
  }
  assert.ok(new Set(resolver.asked.map(({ message }) => message.readUInt16BE(0))).size > 1, 'ids are not the client\'s')
})

test('other types of a mesh name are the resolvers\' business, but the name exists', async () => {
  await using resolver = await Resolver.start((asked) => reply(asked, { flags: 0x8183, authority: [soa(60, 60)] }))
  await using world = await startDns([resolver])
  assert.equal(read(await world.udp(query('api.example.com', types.HTTPS))).rcode, 0)
  assert.equal(read(await world.udp(query('other.example.com', types.HTTPS))).rcode, 3)
})

test('where there are no resolvers there are no other names; where they are not known, nobody knows', async () => {
  await using world = await startDns()
  assert.deepEqual(await looked(world, 'example.com'), ['code 3'])
  assert.deepEqual(await looked(world, 'reviews', types.TXT), [])
  await using lost = await startDns([], { resolvers: () => undefined })
  assert.deepEqual(await looked(lost, 'example.com'), ['code 2'])
})


test('several queries on one connection are answered as they are done, in whatever pieces they come', async () => {
  let slow: (() => void) | undefined
  await using resolver = await Resolver.start((asked, _over, send) => {
    slow = () => send(reply(asked))
    return undefined
  })
  await using world = await startDns([resolver])
  const asked = askTcp(world.at, [query('slow.example.net', types.A, { id: 1 }), query('reviews', types.A, { id: 2 }), query('ratings.other', types.A, { id: 3 })], 3)
  await resolver.untilAsked(1)
  await world.until(() => world.ended('mesh') === 2)
  slow!()
  assert.deepEqual((await asked).map((one) => one.readUInt16BE(0)), [2, 3, 1])
})

test('a zone is not passed on, a connection that does not speak DNS is closed, and what cannot be read is refused', async () => {
  await using world = await startDns()
  assert.equal(read((await askTcp(world.at, [query('example.com', types.AXFR)]))[0]!).rcode, 5)
  assert.deepEqual(await askTcp(world.at, [reply(query('reviews'))]), [])
  const twoQuestions = query('reviews')
  twoQuestions.writeUInt16BE(2, 4)
  const pointer = Buffer.concat([query('').subarray(0, 12), Buffer.from('c00c00010001', 'hex')])
  const loose = Buffer.concat([query('reviews'), Buffer.from('rest')])
  for (const bad of [twoQuestions, pointer, loose, query('reviews').subarray(0, 20)]) {
    const response = await world.udp(bad)
    assert.equal(response.length, 12)
    assert.equal(response.readUInt16BE(2), 0x8181)
  }
  assert.equal(world.ended('malformed'), 4)
  assert.equal(world.ended('not-a-query'), 1)
})

test('a second one on a taken port is refused, and one that takes over shares it until the first has gone', async () => {
  const { port } = await freeDnsPort()
  const addresses = [{ host: '127.0.0.1', port }]
  await using fixed = await startDns([], { addresses })
  await assert.rejects(startDns([], { addresses }), { code: 'net/in-use' })
  await using joined = await startDns([], { addresses, joins: true })
  await fixed.proxy.close()
  assert.deepEqual(await looked(joined, 'reviews'), ['30 A 10.0.0.1'])
})

test('a look-up that fails as nobody expected is told so, and the others go on', async () => {
  let broken = false
  await using world = await startDns([], {
    resolvers() {
      if (broken) throw new Error('no such file')
      return { servers: [], search: [] }
    },
  })
  broken = true
  const response = await world.udp(query('example.com', types.A, { id: 9 }))
  assert.deepEqual([response.readUInt16BE(0), response.readUInt16BE(2)], [9, 0x8182])
  assert.match(world.said.join(), /could not be answered: no such file/)
  assert.deepEqual(await looked(world, 'reviews'), ['30 A 10.0.0.1'])
})
