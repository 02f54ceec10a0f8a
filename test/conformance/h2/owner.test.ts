// What a session tells its owner, and its owner may do at any time: ends of connections, streams that are given up in the middle of a
// read, heads that are too large.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ask, none } from '../../support/h2-answered.ts'
import { END_HEADERS, END_STREAM, block, data, get, headers, ok, ping, post, preface, settings } from '../../support/h2-frames.ts'
import { H2Peer } from '../../support/h2-peer.ts'

test('When the transport is gone every stream is told, once, and nothing is written', () => {
  const peer = new H2Peer('server').send(headers(1, get), headers(3, post, END_HEADERS))
  peer.log.length = 0
  peer.session.onClosed()
  peer.session.onClosed()
  peer.session.ping()
  peer.session.goAway()
  for (const stream of peer.streams.values()) stream.sendResponse(200, none, true)
  assert.deepEqual(peer.log, ['reset 1 CANCEL by the peer', 'closed 1', 'reset 3 CANCEL by the peer', 'closed 3'])
  assert.deepEqual(peer.written(), [])
})

test('Every user of an open stream can be visited, and end it', () => {
  const peer: H2Peer = new H2Peer('server', { events: { onRequest: (stream) => void (stream.user = `user of ${stream.id}`) } })
  peer.send(headers(1, get), headers(3, get), headers(5, get))
  peer.streams.get(3)!.sendResponse(204, none, true)
  const visited: string[] = []
  peer.session.eachUser((user) => {
    visited.push(user)
    for (const stream of peer.streams.values()) if (stream.user === user) stream.reset(8)
  })
  assert.deepEqual([visited, peer.session.openStreams], [['user of 1', 'user of 5'], 0])
})

test('A connection that its owner gives up in the middle of a read reports nothing more', () => {
  const peer: H2Peer = new H2Peer('server', { events: { onRequest: () => peer.session.onClosed() } })
  peer.send(headers(1, get), headers(3, get), ping())
  assert.deepEqual(peer.log, ['request 1 GET http a / [] end', 'reset 1 CANCEL by the peer', 'closed 1'])
  assert.deepEqual(peer.written(), [])
})

test('A stream that its user resets in the middle of DATA reports nothing more', () => {
  const peer = new H2Peer('server', { pieces: 10, events: { onData: (stream) => stream.reset(8) } })
  peer.send(headers(1, post, END_HEADERS), data(1, 'x'.repeat(30), END_STREAM))
  assert.deepEqual(peer.log.filter((line) => !line.startsWith('data')), ['request 1 POST http a / []', 'closed 1'])
  assert.ok(peer.log.find((line) => line.startsWith('data'))!.length < 20)
  assert.deepEqual(peer.written(), ['RST_STREAM 1 CANCEL'])
})

test('A request whose header section is too large is reported, can be answered, and its body is dropped', () => {
  const peer = new H2Peer('server', { limits: { maxHeaderListBytes: 500 } })
  peer.send(headers(1, Buffer.concat([post, block('x-a', 'b', 'x-b', 'v'.repeat(600), 'x-c', 'd')]), END_HEADERS), data(1, 'abc'))
  assert.deepEqual(peer.log, ['request 1 POST http a / [x-a b] too large end'])
  peer.streams.get(1)!.sendResponse(431, none, true)
  assert.deepEqual(peer.written(), ['HEADERS 1 END_STREAM', 'RST_STREAM 1 NO_ERROR'])
  assert.deepEqual(peer.send(data(1, 'def', END_STREAM), headers(3, get)).log.slice(1), ['closed 1', 'request 3 GET http a / [] end'])
})

test('What follows a head that is too large is dropped without being judged', () => {
  const peer = new H2Peer('server', { limits: { maxHeaderListBytes: 500 } })
  peer.send(headers(1, Buffer.concat([post, block('content-length', '100', 'x-b', 'v'.repeat(600))]), END_HEADERS), data(1, 'abc'), headers(1, block('x-t', '1')))
  assert.deepEqual([peer.log, peer.written()], [['request 1 POST http a / [content-length 100] too large end'], []])
  peer.streams.get(1)!.sendResponse(431, none, true)
  assert.deepEqual([peer.log.slice(1), peer.written()], [['closed 1'], ['HEADERS 1 END_STREAM']])
})

test('Too many fields are a header section that is too large, too', () => {
  const peer = new H2Peer('server', { limits: { maxHeaders: 2 } }).send(headers(1, Buffer.concat([get, block('a', '1', 'b', '2', 'c', '3')])))
  assert.deepEqual(peer.log, ['request 1 GET http a / [a 1 b 2] too large end'])
})

test('A path that is too large is left out, and the request still can be answered', () => {
  const peer = new H2Peer('server', { limits: { maxHeaderListBytes: 500 } })
  peer.send(headers(1, block(':method', 'GET', ':scheme', 'http', ':path', `/${'x'.repeat(600)}`, ':authority', 'a')))
  assert.deepEqual(peer.log, ['request 1 GET http a [] too large end'])
})

test('A response or trailers whose header section is too large end their stream', () => {
  const limits = { maxHeaderListBytes: 500 }
  const large = block('x-a', 'v'.repeat(600))
  const client = new H2Peer('client', { limits })
  client.request()
  client.request()
  client.send(headers(1, Buffer.concat([ok, large])), headers(3, ok, END_HEADERS), headers(3, large))
  assert.deepEqual(client.log, ['reset 1 PROTOCOL_ERROR by us', 'closed 1', 'response 3 200 []', 'reset 3 PROTOCOL_ERROR by us', 'closed 3'])
})

test('The preface may come in pieces, and with whatever follows it', () => {
  const peer = new H2Peer('server', { bare: true, pieces: 5 }).send(preface, settings(), ask)
  assert.deepEqual(peer.log, ['settings 4294967295', 'request 1 GET http a / [] end'])
})
