// What becomes of connections when serving them fails: clients that leave are everyday, faults of ours are told.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemClock } from '../../lib/clock.ts'
import { netError } from '../../net/errors.ts'
import type { Inbound } from '../../net/listen.ts'
import { Acceptor } from './accept.ts'
import type { CompiledListener } from './compile.ts'
import { needsHttpInspection } from './chain-match.ts'

const arrival = { originalDestination: { host: '10.0.0.1', port: 80 }, authority: undefined }

interface World {
  /** What is looked at first: nothing, the client's first bytes, or who it is. */
  readonly looks: 'not' | 'at bytes' | 'for PROXY'
  peek?(): Promise<Buffer>
  serve?(): void
}

async function outcomeOf({ looks, peek = () => Promise.resolve(Buffer.from('x')), serve = () => {} }: World): Promise<{ destroyed: number; faults: unknown[] }> {
  const outcome = { destroyed: 0, faults: [] as unknown[] }
  const chain = { tls: undefined, service: { serve } }
  const inspectors = { proxyProtocol: looks === 'for PROXY', timeoutMs: 1, patient: false, http: () => true }
  const choose = ({ applicationProtocols }: { readonly applicationProtocols: unknown }) => (looks === 'not' || applicationProtocols !== undefined ? chain : needsHttpInspection)
  const listener = { name: 'l', handsOver: false, inspectors, choose } as unknown as CompiledListener
  const inbound = {
    remoteAddress: { host: '10.0.0.2', port: 1 }, peek, skip() {}, plain: () => ({}), onClose() {}, destroy: () => void outcome.destroyed++,
  } as unknown as Inbound
  const acceptor = new Acceptor({
    clock: systemClock, listeners: () => new Map([['l', listener]]), maxConnections: 1, maxHandshakes: 1, onRefused() {},
    onFault: (name, error) => outcome.faults.push([name, error instanceof Error && error.message]),
  })
  acceptor.accept('l', inbound, arrival)
  await new Promise(setImmediate)
  return outcome
}

for (const looks of ['not', 'at bytes', 'for PROXY'] as const) {
  const peek = () => Promise.resolve(Buffer.from(looks === 'for PROXY' ? 'PROXY UNKNOWN\r\n' : 'x'))

  test(`a fault while a connection is served closes it and is told, where the proxy looks ${looks}`, async () => {
    const serve = (): void => {
      throw new TypeError('undefined is not a function')
    }
    assert.deepEqual(await outcomeOf({ looks, peek, serve }), { destroyed: 1, faults: [['l', 'undefined is not a function']] })
  })

  test(`a connection that broke before it was served is closed without a word, where the proxy looks ${looks}`, async () => {
    const gone = netError('net/reset', 'the peer closed the connection abruptly')
    const serve = (): void => {
      throw gone
    }
    assert.deepEqual(await outcomeOf({ looks, serve, peek: () => Promise.reject(gone) }), { destroyed: 1, faults: [] })
  })
}
