// What `trysail proxy` loads before it is asked for: each of these takes megabytes of every sidecar (docs/performance.md).
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'

const command = join(import.meta.dirname, '..', '..', 'src', 'cli', 'proxy.ts')

const program = `
import { registerHooks } from 'node:module'
const packages = new Set()
registerHooks({
  resolve(name, context, next) {
    if (!name.startsWith('.') && !name.startsWith('/') && !name.startsWith('node:') && !name.startsWith('file:')) packages.add(name.split('/')[0])
    return next(name, context)
  },
})
await import(${JSON.stringify(command)})
console.log(JSON.stringify({ packages: [...packages], ofNode: process.moduleLoadList.filter((name) => name.includes('undici')) }))
`

test('a proxy loads neither the schemas of what operators write nor a second HTTP client', () => {
  const { packages, ofNode } = JSON.parse(execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' })) as { packages: string[]; ofNode: string[] }
  assert.deepEqual(packages.filter((name) => !name.startsWith('@bufbuild')).toSorted(), ['jose', 're2js'])
  assert.deepEqual(ofNode, [])
})
