// The networks of `run --capture netns` themselves, on a kernel that lacks a part.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'
import { test } from 'node:test'
import { netnsSkip } from '../support/capture-world.ts'
import { leavesNothing } from '../support/leaves-nothing.ts'
import { TempFolder } from '../support/temp-folder.ts'
import { toolEnvironment } from '../../src/agent/netns/commands.ts'
import { Switch } from '../../src/agent/netns/switch.ts'

leavesNothing()

const parts = { rootless: false, ranges: ['10.128.0.0/10'], inside: ['10.96.0.0/12'], v6: { range: 'fd74:7279:7361::/64', inside: ['fd74:7279:7361:1::/64'] } }

/** An `nft` that knows no IPv6, as a kernel without it. */
const nftOfOld = `#!/bin/sh
rules=$(cat)
case "$rules" in *'table ip6 '*) echo 'Error: Could not process rule: Protocol not supported' >&2; exit 1;; esac
printf '%s\\n' "$rules" | PATH=$OTHERS nft "$@"
`

test('every file of these tests sees to it that nothing is left of them', () => {
  const files = readdirSync(import.meta.dirname).filter((name) => name.endsWith('.test.ts'))
  assert.deepEqual(files.filter((name) => !/^leavesNothing\(\)$/m.test(readFileSync(`${import.meta.dirname}/${name}`, 'utf8'))), [])
})

test('where the kernel has no IPv6 for them, workloads have addresses of IPv4 and it is said why', { skip: netnsSkip }, async () => {
  await using folder = await TempFolder.create()
  await folder.write('bin/nft', nftOfOld)
  execFileSync('chmod', ['+x', folder.at('bin/nft')])
  const env = toolEnvironment(process.env)
  const own = await Switch.open({ ...parts, env: { ...env, PATH: `${folder.at('bin')}:${env['PATH']}`, OTHERS: env['PATH']! } })
  try {
    assert.match(own.noV6 ?? '', /Protocol not supported/)
    const cell = await own.workload('10.128.0.7', undefined)
    const addresses = await cell.run(['ip', '-brief', 'address', 'show', 'dev', 'eth0'])
    await cell.close()
    assert.match(addresses, /10\.128\.0\.7\/32\s*$/)
  } finally {
    await own.close()
  }
})
