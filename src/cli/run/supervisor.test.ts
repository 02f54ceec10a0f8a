import assert from 'node:assert/strict'
import { test } from 'node:test'
import { manualClock } from '../../../test/support/manual-clock.ts'
import type { ChildEvents } from './child.ts'
import { Supervisor, restartPause } from './supervisor.ts'

function world(probe: () => string | undefined = () => undefined) {
  const clock = manualClock(0)
  const children: ChildEvents[] = []
  const seen = { states: [] as string[], said: [] as string[], groups: [] as string[], stopped: 0 }
  const supervisor = new Supervisor(
    { command: ['app'], workingDirectory: '/', env: {} },
    {
      clock,
      start(_, events) {
        children.push(events)
        return { pid: 100 + children.length, stop: () => (seen.stopped++, Promise.resolve()) }
      },
      probe: () => Promise.resolve(probe()),
      probing: { initialDelayMs: 0, periodMs: 1000, failureThreshold: 3 },
      line: () => {},
      say: (text) => seen.said.push(text),
      changed: (state) => seen.states.push(state),
      group: (pid, alive) => seen.groups.push(`${alive ? '+' : '-'}${pid}`),
    },
  )
  const end = (code: number) => children.at(-1)!.ended({ started: true, code, signal: undefined, reason: `exited with code ${code}` })
  return { clock, supervisor, children, seen, end }
}

test('a program is ready when its probe says so, and not before', async () => {
  let answer: string | undefined = 'not yet'
  const { clock, supervisor, seen } = world(() => answer)
  supervisor.start()
  await clock.advance(500)
  assert.deepEqual(seen.states, ['starting'])
  answer = undefined
  await clock.advance(100)
  assert.deepEqual(seen.states, ['starting', 'ready'])
})

test('a program that ends is started again with pauses of 100 ms, then 1 s doubled up to 30 s', async () => {
  assert.deepEqual([0, 1, 2, 3, 6, 7, 50].map(restartPause), [100, 1000, 2000, 4000, 30_000, 30_000, 30_000])
  const { clock, supervisor, children, seen, end } = world()
  supervisor.start()
  end(1)
  await clock.advance(99)
  assert.equal(children.length, 1)
  await clock.advance(1)
  assert.equal(children.length, 2)
  end(1)
  await clock.advance(999)
  assert.equal(children.length, 2)
  await clock.advance(1)
  assert.equal(children.length, 3)
  assert.deepEqual(seen.said, ['exited with code 1; next start in 0.1 s', 'exited with code 1; next start in 1 s'])
})

test('a program that stayed up for 10 s is started again quickly', async () => {
  const { clock, supervisor, children, end } = world()
  supervisor.start()
  end(1)
  await clock.advance(100)
  await clock.advance(10_000)
  end(1)
  await clock.advance(100)
  assert.equal(children.length, 3)
})

test('one failed probe is forgiven, three in a row make it unready, one success brings it back', async () => {
  let answer: string | undefined
  const { clock, supervisor, seen } = world(() => answer)
  supervisor.start()
  await clock.advance(100)
  answer = 'connection refused'
  await clock.advance(1000)
  assert.equal(supervisor.state, 'ready')
  await clock.advance(2000)
  assert.equal(supervisor.state, 'unready')
  answer = undefined
  await clock.advance(1000)
  assert.deepEqual(seen.states, ['starting', 'ready', 'unready', 'ready'])
})

test('a stopped program is not started again, whatever ends it', async () => {
  const { clock, supervisor, children, seen, end } = world()
  supervisor.start()
  await supervisor.stop(1000)
  end(143)
  await clock.advance(60_000)
  assert.equal(children.length, 1)
  assert.equal(seen.stopped, 1)
  assert.deepEqual(seen.groups, ['+101', '-101'])
  assert.equal(seen.states.at(-1), 'stopped')
})

test('a late answer of a probe of the program before does not make the next one ready', async () => {
  const answers: ((problem: string | undefined) => void)[] = []
  const clock = manualClock(0)
  const children: ChildEvents[] = []
  const supervisor = new Supervisor(
    { command: ['app'], workingDirectory: '/', env: {} },
    {
      clock,
      start: (_, events) => (children.push(events), { pid: children.length, stop: () => Promise.resolve() }),
      probe: () => new Promise((resolve) => answers.push(resolve)),
      probing: { initialDelayMs: 0, periodMs: 1000, failureThreshold: 1 },
      line: () => {}, say: () => {}, changed: () => {}, group: () => {},
    },
  )
  supervisor.start()
  await clock.advance(25)
  children[0]!.ended({ started: true, code: 1, signal: undefined, reason: 'exited' })
  await clock.advance(100)
  answers[0]!(undefined)
  await clock.advance(1)
  assert.equal(supervisor.state, 'starting')
})

test('what blocks a start is said once and looked at again; the program starts when it is gone', async () => {
  const clock = manualClock(0)
  const said: string[] = []
  let blocked: string | undefined = 'port already taken'
  let started = 0
  const supervisor = new Supervisor({ command: ['app'], workingDirectory: '/', env: {} }, {
    clock,
    start: () => (started++, { pid: 7, stop: () => Promise.resolve() }),
    blocked: () => Promise.resolve(blocked),
    probe: () => Promise.resolve(undefined),
    probing: { initialDelayMs: 0, periodMs: 1000, failureThreshold: 3 },
    line: () => {}, say: (text) => said.push(text), changed: () => {}, group: () => {},
  })
  supervisor.start()
  await clock.advance(9000)
  assert.deepEqual([started, supervisor.state, said], [0, 'waiting', ['cannot be started: port already taken; it is started once that is over']])
  blocked = undefined
  await clock.advance(2100)
  assert.deepEqual([started, supervisor.state, supervisor.restarts], [1, 'ready', 0])
})
