import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Address } from '../../model/address.ts'
import type { Inbound } from '../../net/listen.ts'
import type { SocketOptions } from '../../net/socket-options.ts'
import type { CompiledListener } from '../../proxy/listen/compile.ts'
import { NetfilterCapture } from './netfilter-capture.ts'

/** A kernel that remembers one destination of IPv4. */
function kernel(destination: Address | undefined): SocketOptions {
  const fail = (): never => assert.fail('not asked that')
  return {
    set: fail, get: fail, getNumber: fail, create: fail,
    read(_fd, _option, into) {
      if (destination === undefined) return -1
      const [a = 0, b = 0, c = 0, d = 0] = destination.host.split('.').map(Number)
      into.set([2, 0, destination.port >> 8, destination.port & 255, a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0])
      return 16
    },
  }
}

const listener = (name: string, address: Address, captures: boolean): CompiledListener =>
  ({ name, address, handsOver: captures, inspectors: { originalDestination: captures } }) as CompiledListener

interface Connection {
  readonly inbound: Inbound
  closed: boolean
}

function connection(local: Address, remote: Address, descriptor: number | undefined = 7): Connection {
  const one: Connection = { closed: false, inbound: { localAddress: local, remoteAddress: remote, descriptor, destroy: () => void (one.closed = true) } as Inbound }
  return one
}

const outbound = listener('virtualOutbound', { host: '0.0.0.0', port: 15001 }, true)
const client = { host: '10.0.0.9', port: 40_000 }

function capturing(destination: Address | undefined, dualStack = true): NetfilterCapture {
  const capture = new NetfilterCapture({ probes: [], options: kernel(destination), dualStack })
  capture.bindsAt(outbound)
  return capture
}

test('the capture ports take both families, other listeners stand where they say', () => {
  const capture = capturing(undefined)
  assert.deepEqual(capture.bindsAt(outbound), { host: '::', port: 15001 })
  assert.deepEqual(capture.bindsAt(listener('127.0.0.1_15080', { host: '127.0.0.1', port: 15080 }, false)), { host: '127.0.0.1', port: 15080 })
  assert.deepEqual(capturing(undefined, false).bindsAt(outbound), { host: '0.0.0.0', port: 15001 })
})

test('a redirected connection was going where the kernel says', () => {
  const { inbound } = connection({ host: '127.0.0.1', port: 15001 }, client)
  assert.deepEqual(capturing({ host: '10.96.0.1', port: 80 }).originalDestination(inbound, 'virtualOutbound'), { host: '10.96.0.1', port: 80 })
  assert.equal(capturing(undefined).originalDestination(inbound, 'virtualOutbound'), undefined)
})

test('with TPROXY its own address is where it was going', () => {
  const { inbound } = connection({ host: '10.0.0.7', port: 8080 }, client)
  assert.deepEqual(capturing({ host: '1.1.1.1', port: 1 }).originalDestination(inbound, 'virtualOutbound'), { host: '10.0.0.7', port: 8080 })
})

test('a listener that captures nothing has no other destination, and a connection that is gone has none', () => {
  const capture = capturing({ host: '10.96.0.1', port: 80 })
  assert.equal(capture.originalDestination(connection({ host: '127.0.0.1', port: 15080 }, client).inbound, '127.0.0.1_15080'), undefined)
  const gone = { localAddress: { host: '127.0.0.1', port: 15001 }, remoteAddress: client, descriptor: undefined } as Inbound
  assert.equal(capture.originalDestination(gone, 'virtualOutbound'), undefined)
})

test('a probe of the workload itself is closed and goes to no service; others may use that port', () => {
  const capture = capturing({ host: '10.0.0.7', port: 15002 })
  const probe = connection({ host: '127.0.0.1', port: 15001 }, { host: '10.0.0.7', port: 40_001 })
  assert.equal(capture.originalDestination(probe.inbound, 'virtualOutbound'), null)
  assert.equal(probe.closed, true)
  const other = connection({ host: '127.0.0.1', port: 15001 }, client)
  assert.deepEqual(capture.originalDestination(other.inbound, 'virtualOutbound'), { host: '10.0.0.7', port: 15002 })
  assert.equal(other.closed, false)
})

test('every address is dialled as it stands', () => {
  assert.deepEqual(capturing(undefined).dial({ host: '10.0.0.7', port: 8080 }), { host: '10.0.0.7', port: 8080 })
})

test('a probe that nobody takes says that traffic is not captured, and what to do', async () => {
  const capture = new NetfilterCapture({ probes: ['127.0.0.1'], options: kernel(undefined) })
  await assert.rejects(capture.start(), { code: 'agent/not-captured', message: /^traffic is not captured: a connection of the proxy to 127\.0\.0\.1:15002 did not come back .*'trysail agent capture --apply'/ })
})
