// `npm test`: everything, in the order in which it fails fastest: lint, types, test files of one process, then those that
// start whole meshes or judge by the clock, one at a time. The last line has the totals. `npm test -- PATTERN...` runs only
// the test files whose paths contain one of the patterns.
import { spawnSync } from 'node:child_process'
import { globSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { run } from 'node:test'
import type { TestEvent } from 'node:test/reporters'
import report from '../test/support/reporter.ts'

const root = new URL('..', import.meta.url).pathname
process.chdir(root)

/** A file that takes longer hangs: it is named and ended, and the others go on. The longest takes well under a minute. */
const fileTimeoutMs = 240_000
/** Each of these starts many processes, or needs the machine to itself. */
const aloneFolders = ['test/e2e/', 'test/interop/differential', 'test/fuzz/proxy-http-deliveries']

const patterns = process.argv.slice(2)
const wanted = (path: string) => patterns.length === 0 || patterns.some((pattern) => path.includes(pattern))
const files = globSync(['src/**/*.test.ts', 'test/**/*.test.ts', 'samples/**/*.test.ts']).filter(wanted).sort()
const isAlone = (path: string) => aloneFolders.some((folder) => path.startsWith(folder))

function check(title: string, command: string, args: readonly string[]): void {
  console.log(`\n# ${title}`)
  const done = spawnSync(command, args, { stdio: 'inherit' })
  if (done.status !== 0) {
    console.log(`\n${title} failed${done.error ? `: ${done.error.message}` : ` (exit ${done.status ?? done.signal})`}`)
    process.exit(1)
  }
}

let failed = false

async function* runAll(): AsyncGenerator<TestEvent> {
  const together = { files: files.filter((path) => !isAlone(path)), concurrency: Math.max(2, availableParallelism()), timeout: fileTimeoutMs }
  const alone = { files: files.filter(isAlone), concurrency: 1, timeout: fileTimeoutMs }
  for (const part of [together, alone]) {
    if (part.files.length === 0) continue
    for await (const event of run(part) as AsyncIterable<TestEvent>) {
      if (event.type === 'test:fail') failed = true
      yield event
    }
  }
}

if (files.length === 0) {
  console.error(`no test file matches ${patterns.join(', ')}`)
  process.exit(64)
}
if (patterns.length === 0) {
  check('lint', 'node_modules/.bin/oxlint', ['--deny-warnings'])
  check('types', 'node_modules/.bin/tsc', ['-p', 'tsconfig.json'])
}
if (files.some((path) => path.includes('interop') || path.includes('golden'))) {
  // Fetched once, so that no test waits for it. Without one, the tests against a real Envoy say that they are skipped.
  spawnSync(process.execPath, ['test/interop/envoy-binary.ts'], { stdio: 'inherit' })
}
console.log(`\n# ${files.length} test files on Node ${process.version}`)
for await (const text of report(runAll())) process.stdout.write(text)
process.exitCode = failed ? 1 : 0
