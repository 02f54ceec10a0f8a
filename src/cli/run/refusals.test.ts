import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Refusals } from './refusals.ts'
import type { WantedProcess } from './wanted-process.ts'

const wanted = (name: string): WantedProcess => ({
  key: `default/${name}`, name, namespace: 'default', labels: {}, annotations: {}, serviceAccount: 'default', proxyType: 'sidecar', command: ['a'],
  workingDirectory: '/', env: {}, address: '127.0.0.1', ports: [], probe: undefined, graceMs: 0,
  origin: { file: 'all.yaml', line: 7, column: 1 },
})

function world() {
  const said: string[] = []
  const pauses: number[] = []
  let run = (): void => {}
  let tries = 0
  const clock = { now: () => 0, after: (ms: number, then: () => void) => (pauses.push(ms), (run = then), () => (run = () => {})) }
  const refusals = new Refusals(clock, { say: (_, text) => said.push(text), warn: (_, text) => said.push(text) }, () => tries++)
  return { refusals, said, pauses, timeIsUp: () => run(), tries: () => tries }
}

test('one reason is said once, however often it is met; each time it is tried again, after growing pauses', () => {
  const { refusals, said, pauses, timeIsUp, tries } = world()
  for (let i = 0; i < 6; i++) {
    refusals.add(wanted('web'), new Error('port taken'))
    timeIsUp()
  }
  assert.deepEqual(said, ['cannot be started (all.yaml:7): port taken; it is tried again'])
  assert.deepEqual([tries(), pauses], [6, [500, 1000, 2000, 4000, 5000, 5000]])
  assert.deepEqual(refusals.list, ['process default/web (port taken)'])
  refusals.delete('default/web')
  assert.equal(said.at(-1), 'has been started after all')
  refusals.add(wanted('web'), new Error('port taken'))
  assert.equal(pauses.at(-1), 500)
})

test('nothing is tried again that nobody wants any more, nor after the end', () => {
  const { refusals, timeIsUp, tries } = world()
  refusals.add(wanted('web'), new Error('no'))
  refusals.keep(() => false)
  timeIsUp()
  refusals.add(wanted('web'), new Error('no'))
  refusals.close()
  timeIsUp()
  assert.deepEqual([tries(), refusals.list.length], [0, 1])
})
