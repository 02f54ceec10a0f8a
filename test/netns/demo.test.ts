// Drives `npm run demo -- --capture netns` as a user would: Bookinfo's own tour, every service in a network of its own.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { netnsSkip } from '../support/capture-world.ts'
import { leavesNothing } from '../support/leaves-nothing.ts'
import { leftSince, machine } from '../support/netns-mesh.ts'

leavesNothing()

interface Tour {
  readonly steps: readonly { readonly title: string; readonly observations: readonly { readonly what: string; readonly observed: string; readonly ok: boolean }[] }[]
}

const root = new URL('../..', import.meta.url).pathname
const limitMs = 180_000

function demo(): Promise<{ readonly code: number; readonly tour: Tour }> {
  return new Promise((resolve, reject) => {
    execFile(process.execPath, ['samples/bookinfo/demo.ts', '--once', '--capture', 'netns', '--port', '0', '-o', 'json'], { cwd: root, timeout: limitMs, maxBuffer: 2 ** 24 }, (error, stdout, stderr) => {
      if (stdout === '') reject(new Error(`the demo did not end as it should: ${stderr}`))
      else resolve({ code: typeof error?.code === 'number' ? error.code : 0, tour: JSON.parse(stdout) as Tour })
    })
  })
}

/** What a busy machine may cost; everything else must be right. */
const judgedByClock = (observed: string): boolean => observed.endsWith(' ms')

test('the tour of Bookinfo observes the same with a network for each service, and leaves nothing', { skip: netnsSkip }, async () => {
  const asItWas = machine()
  const { tour } = await demo()
  const wrong = tour.steps.flatMap(({ title, observations }) => observations.filter(({ ok, observed }) => !ok && !judgedByClock(observed)).map(({ what, observed }) => `${title}: ${what}: ${observed}`))
  assert.deepEqual(wrong, [])
  assert.equal(tour.steps.length, 14)
  assert.ok(tour.steps.every(({ observations }) => observations.length > 0))
  assert.deepEqual(leftSince(asItWas, []), [])
})
