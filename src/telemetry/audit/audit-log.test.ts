// The audit log on a real disk, on a full one and on a slow one.
import assert from 'node:assert/strict'
import { chmodSync, readFileSync, readdirSync, renameSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { TempFolder } from '../../../test/support/temp-folder.ts'
import type { FileCalls } from '../sink/log-file.ts'
import { openAuditLog } from './audit-log.ts'
import type { AuditEvent } from './events.ts'

const peer = { address: '10.0.0.7:4711', identity: 'spiffe://cluster.local/ns/default/sa/web' }
const event = (action: string): AuditEvent => ({ event: 'admin-action', action, client: peer })
const read = (path: string): Record<string, unknown>[] => readFileSync(path, 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>)

test('events are JSON lines with time, number and source, in a file that only its owner can read', async () => {
  await using folder = await TempFolder.create()
  const path = folder.at('audit.log')
  writeFileSync(path, '{"number":0}\n')
  chmodSync(path, 0o644)
  const log = openAuditLog(path, { clock: { now: () => 0, after: () => () => {} } })
  log.writer('control')(event('one'))
  log.writer('sidecar~a')(event('two'))
  await log.close()
  assert.deepEqual(read(path), [
    { number: 0 },
    { time: '1970-01-01T00:00:00.000Z', number: 1, source: 'control', event: 'admin-action', action: 'one', client: peer },
    { time: '1970-01-01T00:00:00.000Z', number: 2, source: 'sidecar~a', event: 'admin-action', action: 'two', client: peer },
  ])
  assert.equal(statSync(path).mode & 0o777, 0o600)
})

test('what a peer sent cannot end a line, and is cut when it is long', async () => {
  await using folder = await TempFolder.create()
  const log = openAuditLog(folder.at('audit.log'))
  log.writer('control')(event('a\n{"event":"admin-action"}\u2028ü\u007f'))
  log.writer('control')(event('x'.repeat(5000)))
  await log.close()
  const text = readFileSync(folder.at('audit.log'), 'latin1')
  assert.match(text, /^[\x20-\x7e\n]*$/)
  const [first, second] = read(folder.at('audit.log'))
  assert.equal(first!['action'], 'a\n{"event":"admin-action"}\u2028ü\u007f')
  assert.equal(String(second!['action']).length, 1027)
})

test('a full file moves aside, and only so many are kept', async () => {
  await using folder = await TempFolder.create()
  const path = folder.at('audit.log')
  const log = openAuditLog(path, { rotation: { maxBytes: 500, keep: 2 } })
  const write = log.writer('control')
  for (let i = 1; i <= 30; i++) {
    write(event(String(i)))
    await log.flush()
  }
  await log.close()
  assert.deepEqual(readdirSync(folder.path).sort(), ['audit.log', 'audit.log.1', 'audit.log.2'])
  const kept = ['audit.log.2', 'audit.log.1', 'audit.log'].flatMap((name) => (statSync(folder.at(name)).size === 0 ? [] : read(folder.at(name)))).map(({ number }) => Number(number))
  assert.equal(kept.at(-1), 30)
  assert.deepEqual(kept, Array.from(kept, (_, i) => kept[0]! + i))
  for (const name of readdirSync(folder.path)) assert.equal(statSync(folder.at(name)).mode & 0o777, 0o600)
})

test('a file that was moved away is opened anew', async () => {
  await using folder = await TempFolder.create()
  const log = openAuditLog(folder.at('audit.log'))
  const write = log.writer('control')
  write(event('before'))
  await log.flush()
  renameSync(folder.at('audit.log'), folder.at('moved'))
  log.reopen()
  write(event('after'))
  await log.close()
  assert.deepEqual([folder.at('moved'), folder.at('audit.log')].map((path) => read(path).map(({ action }) => action)), [['before'], ['after']])
})

test('a link in place of the file is not followed', async () => {
  await using folder = await TempFolder.create()
  writeFileSync(folder.at('other'), '')
  symlinkSync(folder.at('other'), folder.at('audit.log'))
  assert.throws(() => openAuditLog(folder.at('audit.log')), { code: 'telemetry/cannot-open-log', message: /cannot open the audit log .*audit\.log/ })
})

type Done = (error: NodeJS.ErrnoException | null, written: number) => void

function scriptedDisk() {
  const writes: { readonly text: string; readonly done: Done }[] = []
  const calls: FileCalls = {
    open: () => 7, close() {},
    write: (_file, bytes, at, length, done) => void writes.push({ text: bytes.toString('latin1', at, at + length), done }),
  }
  return { calls, writes }
}

test('a full disk loses events aloud, counts them, and the log says how many once there is room', async () => {
  const { calls, writes } = scriptedDisk()
  const alarms: string[] = []
  const log = openAuditLog('/audit.log', { calls, alarm: (message) => alarms.push(message) })
  const write = log.writer('control')
  write(event('1'))
  write(event('2'))
  const flushed = log.flush()
  writes.shift()!.done(Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' }), 0)
  await flushed
  assert.deepEqual(log.stats, { written: 0, lost: 2 })
  assert.match(alarms[0]!, /audit log \/audit\.log: 2 lines are lost: ENOSPC/)
  write(event('3'))
  const again = log.flush()
  const { text, done } = writes.shift()!
  done(null, text.length)
  await again
  const lines = text.trimEnd().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>)
  assert.deepEqual(lines.map(({ event: name, count, action }) => [name, count, action]), [['events-lost', 2, undefined], ['admin-action', undefined, '3']])
})

test('a slow disk holds nobody up: what does not fit is dropped, and said every ten seconds', () => {
  const { calls, writes } = scriptedDisk()
  const alarms: string[] = []
  let now = 0
  const clock = { now: () => now, after: () => () => {} }
  const log = openAuditLog('/audit.log', { calls, clock, bufferBytes: 1000, alarm: (message) => alarms.push(message) })
  const write = log.writer('control')
  for (let i = 0; i < 100; i++) write(event(String(i)))
  assert.ok(writes.length <= 1)
  assert.ok(log.stats.lost > 50)
  assert.equal(alarms.length, 1)
  assert.match(alarms[0]!, /^AUDIT EVENTS ARE LOST/)
  now = 10_000
  write(event('later'))
  assert.equal(alarms.length, 2)
})
