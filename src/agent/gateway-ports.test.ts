// A gateway's ports on a laptop: where they stand, and which port a connection counts as.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CompiledListener } from '../proxy/listen/compile.ts'
import { GatewayPorts } from './gateway-ports.ts'

void test('a connection is one to the port of the Gateway, wherever that stands on this machine', () => {
  const ports = new GatewayPorts((port) => ({ host: '127.0.0.1', port: port + 8000 }), new Map())
  const listener = { name: '0.0.0.0_80', address: { host: '0.0.0.0', port: 80 } } as CompiledListener
  assert.deepEqual(ports.bindsAt(listener), { host: '127.0.0.1', port: 8080 })
  assert.deepEqual(ports.originalDestination({ localAddress: { host: '127.0.0.1', port: 8080 } }, '0.0.0.0_80'), { host: '127.0.0.1', port: 80 })
  assert.equal(ports.originalDestination({ localAddress: { host: '127.0.0.1', port: 9 } }, 'another'), undefined)
})
