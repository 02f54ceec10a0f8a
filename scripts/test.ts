// `npm test`: everything: lint and types, then the test files, the longest first, and last those that want the machine to themselves.
// The last line has the totals. `npm test -- PATTERN...` runs only the test files whose paths contain one of the patterns. In a run of
// everything, or with `--again`, a file that fails is run once more when nothing else runs: machines of CI are shared. It is named
// as unsteady when it passes then.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { globSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import report from '../test/support/reporter.ts'
import { longestFirst } from './longest-files.ts'
import { childrenSeconds, everyFile, runFile } from './test-files.ts'
import type { Family, FileRun } from './test-files.ts'

const root = new URL('..', import.meta.url).pathname
process.chdir(root)

/** More files than this that fail are not bad luck: none is run again. */
const maxUnsteady = 3
/** Many files wait more than they compute. */
const lanes = availableParallelism() + 1
/** Of those that start many processes not too many at a time; some look at what is left of networks, or have ports that no other may have. */
const families: readonly Family[] = [{ folder: 'test/e2e/', most: Math.max(1, availableParallelism() - 1) }, { folder: 'test/netns/', most: 1 }, { folder: 'test/interop/differential', most: 1 }]
/** Judged by how things are timed. */
const alone = ['test/fuzz/proxy-http-deliveries', 'test/integration/upstream-idle-races']
const slowest = 10

const patterns = process.argv.slice(2).filter((argument) => argument !== '--again')
const isTriedAgain = patterns.length === 0 || process.argv.includes('--again')
const wanted = (path: string) => patterns.length === 0 || patterns.some((pattern) => path.includes(pattern))
const files = globSync(['src/**/*.test.ts', 'test/**/*.test.ts', 'samples/**/*.test.ts']).filter(wanted).sort()
const isAlone = (path: string) => alone.some((start) => path.startsWith(start))
// Every file loads much of the same source: it is compiled once. Node's own folder, which bin/trysail.js has too.
process.env['NODE_COMPILE_CACHE'] ??= join(tmpdir(), 'node-compile-cache')

async function check(title: string, command: string, args: readonly string[]): Promise<void> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const [said, [code, signal]] = await Promise.all([text(child.stdout), once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>])
  console.log(`\n# ${title}\n${said.trimEnd()}`)
  if (code === 0) return
  console.log(`\n${title} failed (exit ${code ?? signal})`)
  process.exit(1)
}

if (files.length === 0) {
  console.error(`no test file matches ${patterns.join(', ')}`)
  process.exit(64)
}
if (patterns.length === 0) {
  await Promise.all([check('lint', 'node_modules/.bin/oxlint', ['--deny-warnings']), check('types', 'node_modules/.bin/tsc', ['-p', 'tsconfig.json'])])
}
if (files.some((path) => path.includes('interop') || path.includes('golden'))) {
  // Fetched once, so that no test waits for it. Without one, the tests against a real Envoy say that they are skipped.
  spawnSync(process.execPath, ['test/interop/envoy-binary.ts'], { stdio: 'inherit' })
}
console.log(`\n# ${files.length} test files on Node ${process.version}`)
const [startMs, startSeconds] = [performance.now(), childrenSeconds()]
const runs = new Map<string, FileRun>()
for (const [part, beside] of [[files.filter((path) => !isAlone(path)), lanes], [files.filter(isAlone), 1]] as const) {
  for (const one of await everyFile(longestFirst(part), beside, families)) runs.set(one.file, one)
}
const [tookSeconds, usedSeconds] = [(performance.now() - startMs) / 1000, childrenSeconds()]

const failed = [...runs.values()].filter((one) => one.failed)
const unsteady: string[] = []
if (isTriedAgain && failed.length <= maxUnsteady) {
  for (const first of failed) {
    console.log(`\n# ${first.file} failed, and is run once more by itself. The first time:`)
    await print([first])
    const again = await runFile(first.file)
    runs.set(first.file, again)
    if (!again.failed) unsteady.push(first.file)
  }
}
await print([...runs.values()].sort((one, other) => one.file.localeCompare(other.file)))
if (files.length > slowest) sayTimes()
if (unsteady.length > 0) console.log(`\nUNSTEADY, failed once and passed when run again (see above; to be mended):\n${unsteady.map((file) => `  ${file}`).join('\n')}`)
process.exitCode = [...runs.values()].some((one) => one.failed) ? 1 : 0

function sayTimes(): void {
  const first = [...runs.values()].sort((one, other) => other.seconds - one.seconds).slice(0, slowest)
  const used = usedSeconds === undefined || startSeconds === undefined ? '' : `, ${Math.round(usedSeconds - startSeconds)} of them processor time, on ${availableParallelism()} cores`
  console.log(`\nThe slowest of ${files.length} files, in seconds (all: ${Math.round(tookSeconds)}${used}):\n${first.map(({ file, seconds }) => `  ${seconds.toFixed(1)} ${file}`).join('\n')}`)
}

async function print(those: readonly FileRun[]): Promise<void> {
  for await (const said of report(those.flatMap(({ events }) => events))) process.stdout.write(said)
}
