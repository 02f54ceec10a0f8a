import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasCode } from '../../lib/errors.ts'
import { behind, demand, failureOf, runCommand } from './commands.ts'
import type { RunCommand } from './commands.ts'

const failures: readonly (readonly [title: string, program: string, stderr: string, code: string, message: string])[] = [
  ['missing rights of nft', 'nft', 'Operation not permitted (you must be root)\nnetlink: Error: cache initialization failed: Operation not permitted\n', 'agent/no-permission',
    'cannot apply the rules: nft needs root, or CAP_NET_ADMIN in this network namespace (Operation not permitted (you must be root))'],
  ['missing rights of iptables', 'iptables-restore', 'iptables-restore v1.8.9 (nf_tables): \nFetching rule set generation id failed: Permission denied (you must be root)\n', 'agent/no-permission',
    'cannot apply the rules: iptables-restore needs root, or CAP_NET_ADMIN in this network namespace (Fetching rule set generation id failed: Permission denied (you must be root))'],
  ['a kernel without the module', 'nft', '/dev/stdin:8:5-20: Error: Could not process rule: No such file or directory\n    redirect to :15001\n', 'agent/no-kernel',
    'cannot apply the rules: this kernel lacks what a rule needs; load nf_tables, nft_redir, nft_tproxy, nft_ct or xt_REDIRECT, xt_owner (modprobe), or use the other --backend (/dev/stdin:8:5-20: Error: Could not process rule: No such file or directory)'],
  ['anything else', 'ip', 'RTNETLINK answers: File exists\n', 'agent/command-failed', 'cannot apply the rules: ip says: RTNETLINK answers: File exists'],
  ['silence', 'ip', '', 'agent/command-failed', 'cannot apply the rules: ip says: exit code 3'],
]

for (const [title, program, stderr, code, message] of failures) {
  test(`${title} is told in one line with what to do`, () => {
    const { code: found, message: said } = failureOf('apply the rules', program, 3, stderr)
    assert.deepEqual([found, said], [code, message])
  })
}

test('a program that is not installed is named with its package', async () => {
  await assert.rejects(runCommand('trysail-no-such-program', []), { code: 'agent/no-program', message: 'trysail-no-such-program is not installed: install trysail-no-such-program' })
  const missing: RunCommand = (program) => runCommand(`no-such-${program}`, [])
  await assert.rejects(demand(missing, 'apply', 'nft', []), (error) => hasCode(error, 'agent/no-program'))
})

test('a program reads its input, and its arguments are never looked at by a shell', async () => {
  assert.deepEqual(await runCommand('cat', [], 'table inet x'), { code: 0, stdout: 'table inet x', stderr: '' })
  assert.deepEqual(await runCommand('printf', ['%s|', '$(id)', '; true', '`id`']), { code: 0, stdout: '$(id)|; true|`id`|', stderr: '' })
})

test('a program that ends without reading what it is told is known by its exit code', async () => {
  assert.equal((await runCommand('false', [], 'x'.repeat(1_000_000))).code, 1)
})

test('commands run behind another one, where that leads into a namespace', async () => {
  const seen: string[] = []
  const run = behind(['ip', 'netns', 'exec', 'blue'], (program, args) => {
    seen.push([program, ...args].join(' '))
    return Promise.resolve({ code: 0, stdout: '', stderr: '' })
  })
  await run('nft', ['list', 'ruleset'])
  assert.deepEqual(seen, ['ip netns exec blue nft list ruleset'])
})
