// Sockets of elsewhere beside a proxy's own: both lead to the same listener, and end with it.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { test } from 'node:test'
import type { Address } from '../model/address.ts'
import { netError } from './errors.ts'
import { ListenSet } from './listen-set.ts'
import { reservePort } from './reserve-port.ts'
import { handleOf } from './socket-options.ts'

async function reaches({ host, port }: Address): Promise<boolean> {
  const socket = connect(port, host)
  const met = await once(socket, 'connect').then(() => true, () => false)
  socket.destroy()
  return met
}

test('what is given for an address is accepted from beside the own socket, and closed with it', { timeout: 20_000 }, async () => {
  const given = await reservePort()
  const asked: Address[] = []
  const sockets = new ListenSet({
    sharing: 'alone',
    further(address) {
      asked.push(address)
      return Promise.resolve([{ handle: handleOf(given.server)! }])
    },
  })
  let accepted = 0
  const listening = await sockets.listen({ address: { host: '127.0.0.1', port: 0 }, onConnection: (inbound) => {
    accepted++
    inbound.destroy()
  } })
  assert.deepEqual(asked, [{ host: '127.0.0.1', port: 0 }])
  assert.notEqual(listening.address.port, given.address.port)
  assert.deepEqual([await reaches(listening.address), await reaches(given.address)], [true, true])
  while (accepted < 2) await new Promise((resolve) => setImmediate(resolve))
  await listening.close()
  assert.deepEqual([await reaches(listening.address), await reaches(given.address)], [false, false])
})

test('a listener that cannot have what it is to be given does not listen at all', async () => {
  const sockets = new ListenSet({ sharing: 'alone', further: () => Promise.reject(netError('net/in-use', 'somebody else has it')) })
  await assert.rejects(sockets.listen({ address: { host: '127.0.0.1', port: 0 }, onConnection: (inbound) => inbound.destroy() }), /somebody else has it/)
  assert.deepEqual(sockets.sockets, [])
})
