import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Clock } from '../../lib/clock.ts'
import { LogFile } from './log-file.ts'
import type { FileCalls, LogFileOptions } from './log-file.ts'
import { LogFiles } from './log-files.ts'

/** A disk that answers when it is told to. */
function setUp(options: Partial<LogFileOptions> = {}) {
  const timers = new Set<{ readonly ms: number; readonly run: () => void }>()
  const clock: Clock = {
    now: () => 0,
    after(ms, run) {
      const timer = { ms, run }
      timers.add(timer)
      return () => timers.delete(timer)
    },
  }
  const fire = () => {
    for (const timer of timers) if (timers.delete(timer)) timer.run()
  }
  const pending: { text: string; done: (error: NodeJS.ErrnoException | null, written: number) => void }[] = []
  const calls: FileCalls = {
    open: () => 7,
    write: (_file, bytes, at, length, done) => void pending.push({ text: bytes.toString('latin1', at, at + length), done }),
    close() {},
  }
  const problems: string[] = []
  const file = new LogFile('/log', { clock, calls, bufferBytes: 10, flushBytes: 8, onProblem: (message) => problems.push(message), ...options })
  const answer = (code?: string, written?: number) => {
    const { text, done } = pending.shift()!
    done(code === undefined ? null : Object.assign(new Error(`${code}: said the disk`), { code }), written ?? text.length)
    return text
  }
  return { file, timers, fire, pending, answer, problems }
}

test('lines wait for the timer, and one timer is enough', () => {
  const { file, timers, fire, pending, answer } = setUp()
  file.write('a\n')
  file.write('b\n')
  assert.equal(timers.size, 1)
  assert.equal(pending.length, 0)
  fire()
  assert.equal(answer(), 'a\nb\n')
  assert.equal(timers.size, 0)
  assert.equal(file.stats.flushed_by_timer, 1)
})

test('a buffer that is full enough is written at once', () => {
  const { file, answer, timers } = setUp()
  file.write('a\n')
  file.write('1234567\n')
  assert.equal(answer(), 'a\n1234567\n')
  assert.equal(timers.size, 0)
})

test('a slow disk costs lines, which are counted, and never memory', () => {
  const { file, pending, answer } = setUp()
  for (const letter of 'abcdef') file.write(`${letter}234567\n`)
  assert.equal(pending.length, 1, 'one write at a time')
  assert.equal(file.stats.dropped, 4)
  assert.equal(answer(), 'a234567\n')
  assert.equal(answer(), 'b234567\n')
  file.write('g234567\n')
  assert.equal(answer(), 'g234567\n')
})

test('a line longer than a buffer is dropped and counted', () => {
  const { file } = setUp()
  file.write('12345678901\n')
  assert.equal(file.stats.dropped, 1)
})

test('what a write left over is written next', () => {
  const { file, answer } = setUp()
  file.write('1234567\n')
  answer(undefined, 3)
  assert.equal(answer(), '4567\n')
  assert.equal(file.stats.write_completed, 1)
})

test('a full pipe is tried again after a while', () => {
  const { file, answer, fire, pending } = setUp()
  file.write('1234567\n')
  answer('EAGAIN')
  assert.equal(pending.length, 0)
  fire()
  assert.equal(answer(), '1234567\n')
  assert.equal(file.stats.dropped, 0)
})

test('a full disk is told once, and again after it had worked', () => {
  const { file, answer, problems } = setUp()
  for (const code of ['ENOSPC', 'ENOSPC', undefined, 'ENOSPC']) {
    file.write('1234567\n')
    answer(code)
  }
  assert.deepEqual(problems, Array.from({ length: 2 }, () => 'access log /log: 1 lines are lost: ENOSPC: said the disk'))
  assert.deepEqual([file.stats.write_failed, file.stats.dropped], [3, 3])
})

test('close waits for what is buffered behind a write under way, and takes no more', async () => {
  const { file, answer } = setUp()
  file.write('1234567\n')
  file.write('b\n')
  const closed = file.close()
  file.write('c\n')
  assert.equal(answer(), '1234567\n')
  assert.equal(answer(), 'b\n')
  await closed
  assert.equal(file.stats.dropped, 1)
})

test('flush waits for a write under way that holds everything', async () => {
  const { file, answer } = setUp()
  file.write('1234567\n')
  const flushed = file.flush()
  assert.equal(answer(), '1234567\n')
  await flushed
  await file.flush()
})

test('log files: one file for each path, rotation, and a folder that does not exist', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'logs-'))
  try {
    const path = join(folder, 'access.log')
    await using files = new LogFiles()
    files.open(path)('first\n')
    files.open(path)('second\n')
    await files.flush()
    renameSync(path, `${path}.1`)
    files.open(path)('late\n')
    files.reopen()
    await files.flush()
    files.open(path)('third ü\n')
    await files.close()
    assert.equal(readFileSync(`${path}.1`, 'latin1'), 'first\nsecond\nlate\n')
    assert.equal(readFileSync(path, 'latin1'), 'third ü\n')
    assert.throws(() => files.open(join(folder, 'absent', 'access.log')), { code: 'telemetry/cannot-open-log', message: /does its folder exist/ })
    assert.equal(files.stats().find(({ name }) => name === 'filesystem.dropped')?.value, 0)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('the number of files is bounded', () => {
  const files = new LogFiles({ calls: { open: () => 7, write() {}, close() {} } })
  for (let i = 0; i < 64; i++) files.open(`/logs/${i}`)
  assert.throws(() => files.open('/logs/64'), /64 log files are open already/)
})
