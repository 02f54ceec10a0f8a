// `npm test`: everything, in the order in which it fails fastest: lint, types, then every test file. The last line has
// the totals. `npm test -- PATTERN...` runs only the test files whose paths contain one of the patterns.
import { spawnSync } from 'node:child_process'
import { globSync } from 'node:fs'
import { availableParallelism } from 'node:os'

const root = new URL('..', import.meta.url).pathname
process.chdir(root)

const patterns = process.argv.slice(2)
const wanted = (path: string) => patterns.length === 0 || patterns.some((pattern) => path.includes(pattern))
const files = globSync(['src/**/*.test.ts', 'test/**/*.test.ts', 'samples/**/*.test.ts']).filter(wanted).sort()

function run(title: string, command: string, args: readonly string[]): void {
  console.log(`\n# ${title}`)
  const done = spawnSync(command, args, { stdio: 'inherit' })
  if (done.status !== 0) {
    console.log(`\n${title} failed${done.error ? `: ${done.error.message}` : ` (exit ${done.status ?? done.signal})`}`)
    process.exit(1)
  }
}

if (files.length === 0) {
  console.error(`no test file matches ${patterns.join(', ')}`)
  process.exit(64)
}
if (patterns.length === 0) {
  run('lint', 'node_modules/.bin/oxlint', ['--deny-warnings'])
  run('types', 'node_modules/.bin/tsc', ['-p', 'tsconfig.json'])
}
run(`${files.length} test files on Node ${process.version}`, process.execPath, [
  '--test',
  `--test-concurrency=${Math.max(2, availableParallelism())}`,
  '--test-reporter=./test/support/reporter.ts',
  '--test-reporter-destination=stdout',
  ...files,
])
