// The bench runs and says what it promises; how fast anything is, no test looks at.
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'

const needed = ['nginx', 'haproxy', 'cc', 'taskset']
const missing = needed.filter((name) => spawnSync('sh', ['-c', `command -v ${name}`]).status !== 0)
const skip = process.platform !== 'linux' ? 'only on Linux' : missing.length > 0 ? `not installed: ${missing.join(', ')}` : false

interface Figures {
  readonly about: Record<string, unknown>
  readonly scenarios: readonly {
    readonly name: string
    readonly held: boolean
    readonly summary: readonly Record<string, unknown>[]
    readonly measured: readonly { readonly samples: readonly Record<string, unknown>[] }[]
  }[]
}

test('a short bench measures nginx, HAProxy and our gateway without an error, and writes the figures of each round', { skip, timeout: 120_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'trysail-bench-test-'))
  try {
    const file = join(folder, 'figures.json')
    const args = ['bench/run.ts', '--only', 'gateway', '--rounds', '1', '--secs', '0.3', '--conns', '8', '--json', file]
    const output = execFileSync(process.execPath, args, { cwd: join(import.meta.dirname, '..', '..'), encoding: 'utf8' })
    assert.match(output, /^\| trysail \|/m)
    const { about, scenarios } = JSON.parse(readFileSync(file, 'utf8')) as Figures
    assert.equal(about['node'], process.version)
    assert.deepEqual(scenarios.map(({ name }) => name), ['gateway'])
    const [{ summary, measured }] = scenarios as [Figures['scenarios'][number]]
    // An Envoy is measured where there is one.
    assert.deepEqual(summary.map(({ name }) => name).filter((name) => name !== 'envoy'), ['nginx', 'haproxy', 'trysail'])
    for (const { name, errors } of summary) assert.equal(errors, 0, String(name))
    const fields = ['round', 'requests', 'rps', 'errors', 'p50', 'p99', 'p999', 'max', 'cpuMicrosPerRequest', 'rssBytes']
    for (const { samples } of measured) {
      assert.equal(samples.length, 1)
      for (const field of fields) assert.equal(typeof samples[0]![field], 'number', field)
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
