// Taps that are opened while others are.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { test } from 'node:test'
import { reservePort } from '../net/reserve-port.ts'
import { EnvCapture } from './env-capture.ts'
import type { Tap } from './env-capture.ts'

test('a tap is opened once, also when the world changes while the capture starts: no connection is delivered twice', async () => {
  const { server, address } = await reservePort()
  const tap: Tap = { listen: { server }, direction: 'inbound', originalDestination: { host: '10.0.0.1', port: 80 } }
  const capture = new EnvCapture([tap], new Map())
  let delivered = 0
  await Promise.all([
    capture.start((_direction, inbound) => {
      delivered++
      inbound.destroy()
    }),
    capture.update([tap], new Map(), new Map()),
    capture.update([tap], new Map(), new Map()),
  ])
  const socket = connect(address.port, address.host).on('error', () => {})
  await once(socket, 'close')
  assert.equal(delivered, 1)
  await capture.stop()
})
