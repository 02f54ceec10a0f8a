// Options of real sockets: set by us, read back from the kernel; and those of a cluster's connections.
import assert from 'node:assert/strict'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { once } from 'node:events'
import { readFileSync, readdirSync, readlinkSync } from 'node:fs'
import { test } from 'node:test'
import { keepAlive } from '../../src/net/keep-alive.ts'
import { descriptorOf, linuxOptions, openSocketOptions, socketOptions } from '../../src/net/socket-options.ts'
import type { SocketOptions } from '../../src/net/socket-options.ts'
import { isTcpHandle, listeningHandleOf } from '../../src/net/stream-handles.ts'
import { httpPeer } from '../support/http-peers.ts'
import { UpstreamWorld, ask, connectThrough, staticCluster } from '../support/upstream-world.ts'

const { options, problem } = socketOptions()
const skip = options === undefined && `skipped: ${problem}`

async function withSocket(work: (socket: Socket, all: SocketOptions) => void): Promise<void> {
  const server = createServer((peer) => peer.on('error', () => {})).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  await once(socket, 'connect')
  try {
    work(socket, options!)
  } finally {
    socket.destroy()
    server.close()
  }
}

test('an option that was set is read back from the kernel', { skip }, () => withSocket((socket, all) => {
  const fd = descriptorOf(socket)!
  all.set(fd, linuxOptions.tcpKeepCount, 7)
  assert.equal(all.getNumber(fd, linuxOptions.tcpKeepCount), 7)
  assert.equal(all.get(fd, linuxOptions.tcpKeepCount).length, 4)
}))

test('a connection is never delayed for want of more to send, also where only the listening socket was told so', { skip }, async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const accepted = Promise.withResolvers<number>()
  const listening = listeningHandleOf(server)!
  listening.setNoDelay(true)
  listening.onconnection = (_error, handle) => {
    if (!isTcpHandle(handle)) return accepted.reject(new Error('no TCP handle'))
    accepted.resolve(options!.getNumber(handle.fd, { name: 'TCP_NODELAY', level: 6, code: 1 }))
    handle.close(() => {})
  }
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  assert.equal(await accepted.promise, 1)
  socket.destroy()
  server.close()
})

test('keep-alive sets all three numbers on a real socket, each within what the kernel takes', { skip }, () => withSocket((socket, all) => {
  keepAlive(socket, { afterS: 61, intervalS: 17, probes: 500 })
  const fd = descriptorOf(socket)!
  const read = [linuxOptions.tcpKeepIdle, linuxOptions.tcpKeepInterval, linuxOptions.tcpKeepCount].map((one) => all.getNumber(fd, one))
  assert.deepEqual(read, [61, 17, 127])
  assert.equal(all.getNumber(fd, linuxOptions.keepAlive), 1)
}))

test('numbers that are not given stay the kernel\'s own', { skip }, () => withSocket((socket, all) => {
  const fd = descriptorOf(socket)!
  const before = all.getNumber(fd, linuxOptions.tcpKeepInterval)
  keepAlive(socket, { afterS: 5, intervalS: 0, probes: 3 })
  assert.equal(all.getNumber(fd, linuxOptions.tcpKeepInterval), before)
  assert.equal(all.getNumber(fd, linuxOptions.tcpKeepCount), 3)
}))

test('what the system refuses is said with the option and the reason', { skip }, () => {
  assert.throws(() => options!.set(1_000_000, linuxOptions.tcpKeepCount, 1), { code: 'net/failed', message: 'cannot set TCP_KEEPCNT: EBADF' })
  assert.throws(() => options!.get(1_000_000, linuxOptions.mark), { code: 'net/failed', message: 'cannot get SO_MARK: EBADF' })
})

test('without koffi, or on another system, there is a reason instead of options', () => {
  const missing = () => { throw new Error('Cannot find module') }
  assert.deepEqual(openSocketOptions('linux', missing), { options: undefined, problem: 'koffi is not installed' })
  assert.deepEqual(openSocketOptions('darwin', missing), { options: undefined, problem: 'there is no way to them on darwin' })
  assert.deepEqual(openSocketOptions('linux', () => ({})), { options: undefined, problem: 'this koffi is not the one that is known' })
})

test('a socket that is closed has no descriptor', async () => {
  const socket = connect(9, '127.0.0.1').on('error', () => {})
  socket.destroy()
  await once(socket, 'close')
  assert.equal(descriptorOf(socket), undefined)
})

/** Of the open connection of this process whose own port that is, by what the kernel lists: others may have the port at other addresses. */
function descriptorAt(localPort: number): number {
  const port = localPort.toString(16).toUpperCase().padStart(4, '0')
  const rows = readFileSync('/proc/net/tcp', 'latin1').split('\n').map((line) => line.trim().split(/\s+/)).filter(([, local]) => local?.endsWith(`:${port}`))
  const links = new Set(rows.map((row) => `socket:[${row[9]}]`))
  const found = readdirSync('/proc/self/fd').find((fd) => {
    try {
      return links.has(readlinkSync(`/proc/self/fd/${fd}`))
    } catch {
      return false // closed meanwhile
    }
  })
  assert.ok(found !== undefined, `no connection from port ${localPort}`)
  return Number(found)
}

test('connections of a cluster, pooled ones and opaque ones, are asked as its keep-alive says', { skip }, async () => {
  await using peer = await httpPeer((_request, response) => void response.end('ok'))
  using world = new UpstreamWorld()
  const cluster = world.serve(staticCluster('c', [peer.address], {
    upstreamConnectionOptions: { tcpKeepalive: { keepaliveTime: 61, keepaliveInterval: 17, keepaliveProbes: 4 } },
  }))
  const read = (fd: number) => [linuxOptions.keepAlive, linuxOptions.tcpKeepIdle, linuxOptions.tcpKeepInterval, linuxOptions.tcpKeepCount].map((one) => options!.getNumber(fd, one))
  const { localPort } = await ask(cluster)
  assert.deepEqual(read(descriptorAt(localPort)), [1, 61, 17, 4])
  const opaque = await connectThrough(cluster)
  assert.deepEqual(read(descriptorAt(opaque.localAddress.port)), [1, 61, 17, 4])
  opaque.destroy()
})
