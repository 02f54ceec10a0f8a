// The table of inbound clients: what is counted, how it is bounded, what it shows.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Refused } from './accept.ts'
import type { Direction } from './compile.ts'
import type { AcceptedConnection } from './connection.ts'
import { InboundPeers } from './inbound-peers.ts'

function connection(port: number, host: string, direction: Direction = 'inbound'): AcceptedConnection {
  return { listener: { direction }, inbound: { remoteAddress: { host, port: 40_000 } }, arrival: { originalDestination: { host: '10.0.0.1', port } } } as AcceptedConnection
}

function table(maxRows?: number) {
  let now = 0
  const peers = new InboundPeers({ now: () => (now += 1000), after: () => () => {} }, maxRows)
  return peers
}

const web = ['spiffe://cluster.local/ns/default/sa/web']

test('clients are plaintext unless they showed a certificate, and ports are told apart', () => {
  const peers = table()
  peers.served(connection(9080, '10.0.0.7'))
  peers.served(connection(9080, '10.0.0.7'))
  peers.served(connection(9080, '10.0.0.8'), web)
  peers.served(connection(9090, '10.0.0.8'), web)
  peers.named({ host: '10.0.0.1', port: 9080 }, { host: '10.0.0.7', port: 1 }, 'user-agent curl/8')
  assert.deepEqual(peers.shown(), {
    since: '1970-01-01T00:00:01.000Z',
    ports: [{ port: 9080, mutual: 1 }, { port: 9090, mutual: 1 }],
    plaintext: [{ port: 9080, address: '10.0.0.7', connections: 2, refused: 0, first: '1970-01-01T00:00:02.000Z', last: '1970-01-01T00:00:03.000Z', says: ['user-agent curl/8'] }],
    forgotten: 0,
  })
})

test('what a workload opens itself is not counted, and what a port refused is counted apart', () => {
  const peers = table()
  peers.served(connection(80, '10.0.0.1', 'outbound'))
  const refused = (refusal: Refused['refusal'], direction: Direction): Refused => ({ ...connection(9080, '10.0.0.7', direction), refusal, detail: '' })
  peers.refused(refused('no-filter-chain', 'inbound'))
  peers.refused(refused('no-filter-chain', 'outbound'))
  peers.refused(refused('handshake-failed', 'inbound'))
  assert.deepEqual(peers.shown().plaintext.map(({ connections, refused: count }) => [connections, count]), [[0, 1]])
})

test('a scan cannot make it grow: the client that was not seen for longest goes, and that is said', () => {
  const peers = table(3)
  for (const host of ['a', 'b', 'c', 'a', 'd', 'e']) peers.served(connection(1, host))
  const { plaintext, forgotten } = peers.shown()
  assert.deepEqual(plaintext.map(({ address }) => address), ['e', 'd', 'a'])
  assert.equal(forgotten, 2)
})

test('a client that calls itself many things fills no memory', () => {
  const peers = table()
  peers.served(connection(1, 'a'))
  for (let i = 0; i < 100; i++) peers.named({ host: '', port: 1 }, { host: 'a', port: 1 }, `${i}`.repeat(1000))
  const [client] = peers.shown().plaintext
  assert.equal(client!.says.length, 4)
  assert.ok(client!.says.every((one) => one.length <= 200))
})
