// Without root: a user namespace whose root owns networks of its own. There is one user only, so the rules know the proxy by the
// mark of its packets. What it connects goes where it means to, all else is captured as ever.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { missingPrograms } from '../support/capture-world.ts'
import { leavesNothing } from '../support/leaves-nothing.ts'

leavesNothing()

/** As an ordinary user where this one is root, who could do all of it anyway. */
const asUser = process.getuid?.() === 0 ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--'] : []
const [program, ...args] = [...asUser, 'unshare', '-Urn']

function skipReason(): string | false {
  const missing = missingPrograms()
  if (missing !== false) return missing
  const { status, stderr } = spawnSync(program!, [...args, 'true'], { encoding: 'utf8' })
  return status === 0 ? false : `skipped: no user namespace without root: ${stderr.trim()}`
}

test('without root, what the proxy marks is left alone and all else of its workload is captured', { skip: skipReason() }, () => {
  const { stdout, stderr } = spawnSync(program!, [...args, process.execPath, join(import.meta.dirname, '..', 'support', 'rootless-capture.ts')], { encoding: 'utf8', timeout: 60_000 })
  assert.notEqual(stdout, '', stderr)
  assert.deepEqual(JSON.parse(stdout), {
    applied: ['none', 'equal'],
    seen: {
      app: 'proxy:15001', proxy: 'peer:80', peer: 'proxy:15006',
      ownService: 'proxy:15006', ownWorkload: 'app:8080', itself: 'app:8080',
      query: 'proxy:15053/udp', queryOfProxy: 'peer:53/udp',
    },
    left: '',
  })
})
