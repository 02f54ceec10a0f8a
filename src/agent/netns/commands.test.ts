// What people are told when one of the system's tools is missing or refuses.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasCode } from '../../lib/errors.ts'
import { commandAnswer, failureOf, missingTool, runCommand, toolEnvironment } from './commands.ts'

const env = toolEnvironment(process.env)

test('a tool that is not there is named with its package', async () => {
  await assert.rejects(runCommand(['trysail-no-such-tool'], { env }), (error) => hasCode(error, 'netns/missing') && String(error).includes('trysail-no-such-tool is not installed'))
  assert.match(missingTool('nft').message, /nft is not installed \(package nftables\): install it, or use --capture env/)
  const error = failureOf('nsenter', ['--target', '1', '--', 'ip'], new Error('1'), 'nsenter: failed to execute ip: No such file or directory\n')
  assert.match(error.message, /^ip is not installed \(package iproute2\)/)
})

test('a refusal says what to do, in one line', () => {
  for (const said of ['unshare: unshare failed: Operation not permitted', 'unshare: unshare failed: No space left on device', 'unshare: cannot open /proc/self/uid_map: Permission denied']) {
    const error = failureOf('unshare', ['--net'], new Error('1'), `${said}\nmore`)
    assert.equal(error.code, 'netns/permission')
    assert.match(error.message, /^network namespaces are refused here \(.*\): run as root, .* or use --capture env$/)
  }
})

test('what a tool is told on its input it reads, and what it answers comes back with its code', async () => {
  assert.equal(await runCommand(['cat'], { env, input: 'one\ntwo\n' }), 'one\ntwo\n')
  const answer = await commandAnswer(['sh', '-c', 'echo out; echo err >&2; exit 3'], { env })
  assert.deepEqual(answer, { code: 3, stdout: 'out\n', stderr: 'err\n' })
  await assert.rejects(runCommand(['sh', '-c', 'echo not so >&2; exit 3'], { env }), /not so/)
})

test('tools are found in the folders of root, whatever the PATH of a user is', () => {
  assert.deepEqual(toolEnvironment({ PATH: '/opt/bin' })['PATH']?.split(':'), ['/opt/bin', '/usr/sbin', '/sbin', '/usr/bin', '/bin'])
})
