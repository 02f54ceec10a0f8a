// The audit of dependencies, with an npm that answers as the real one does.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmod } from 'node:fs/promises'
import { delimiter } from 'node:path'
import { test } from 'node:test'
import { TempFolder } from '../support/temp-folder.ts'

async function audit(answer: string, code: number, { view = '"1.2.3"', args = [] }: { readonly view?: string; readonly args?: readonly string[] } = {}) {
  await using folder = await TempFolder.create()
  await folder.write('npm', `#!/bin/sh\nif [ "$1" = view ]; then\ncat <<'END'\n${view}\nEND\nexit 0\nfi\ncat <<'END'\n${answer}\nEND\nexit ${code}\n`)
  await chmod(folder.at('npm'), 0o700)
  const script = new URL('../../scripts/audit-deps.ts', import.meta.url).pathname
  const { status, stdout } = spawnSync(process.execPath, [script, ...args], { encoding: 'utf8', env: { ...process.env, PATH: `${folder.path}${delimiter}${process.env['PATH']}` } })
  return { status, stdout }
}

const finding = (severity: string) => JSON.stringify({ vulnerabilities: { yaml: { severity, range: '<2.9.9', via: [{ title: 'Endless recursion', url: 'https://advisories.example/1' }] } } })

test('nothing known is said and passes', async () => {
  assert.deepEqual(await audit('{ "vulnerabilities": {} }', 0), { status: 0, stdout: 'no known vulnerability in what we ship with\n' })
})

test('a moderate vulnerability fails, with its package, range and advisory; a low one is only said', async () => {
  const bad = await audit(finding('moderate'), 1)
  assert.equal(bad.status, 1)
  assert.match(bad.stdout, /^moderate: yaml <2\.9\.9: Endless recursion https:\/\/advisories\.example\/1\n1 packages with known vulnerabilities, 1 of them moderate or worse\n$/)
  assert.equal((await audit(finding('low'), 1)).status, 0)
})

test('a registry that cannot be asked is said loudly, and nothing is claimed; where it must be asked that fails', async () => {
  for (const answer of ['{ "message": "405 Method Not Allowed" }', 'no JSON at all', '']) {
    const { status, stdout } = await audit(answer, 1)
    assert.equal(status, 0)
    assert.match(stdout, /^!{90}\n!! SKIPPED the audit of dependencies: the registry cannot be asked \(.+\)\n!! Nothing is known of vulnerabilities/)
    assert.match(stdout, /\n7 of 7 versions that we name could be looked up, 0 of them withdrawn by their maintainers\n$/)
    assert.doesNotMatch(stdout, /no known/)
  }
  assert.equal((await audit('', 1, { args: ['--required'] })).status, 1)
})

test('without the audit, a version that its maintainers have withdrawn fails', async () => {
  const { status, stdout } = await audit('', 1, { view: '{ "version": "1.2.3", "deprecated": "has a hole: use 1.2.4" }' })
  assert.equal(status, 1)
  assert.match(stdout, /withdrawn: jose@[\d.]+: has a hole: use 1\.2\.4/)
})
