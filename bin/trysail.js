#!/usr/bin/env node
// The door to `trysail`. Plain, old JavaScript, so that a Node that is too old says so in one line. Runs what `npm run
// build` made, or in a clone the TypeScript sources as they are.
const [major] = process.versions.node.split('.').map(Number)
if (major < 24) {
  console.error(`trysail needs Node 24 or newer, this is ${process.version} (${process.execPath}). From a clone, "npm ci" brings one: use "npx trysail" or "npm run trysail".`)
  process.exit(64)
}

const { existsSync } = await import('node:fs')
const sources = new URL('../src/cli/main.ts', import.meta.url)
const built = new URL('../dist/cli/main.js', import.meta.url)
const isBuilt = !existsSync(sources)
const isProxy = process.argv[2] === 'proxy'
// What is built loads as fast without the cache, which keeps all that it has read.
if (!isBuilt || !isProxy) (await import('node:module')).enableCompileCache()
// What a proxy does while it loads must not make it large for good (src/cli/heap.ts), and no collection waits for threads that
// have to share its core, or comes between two bursts of requests (docs/decisions/0017-flags-for-v8.md).
if (isProxy) {
  const { setFlagsFromString } = await import('node:v8')
  const whileLoading = ['--semi-space-growth-factor=1', '--no-opt', '--no-maglev']
  const forGood = ['--no-parallel-scavenge', '--no-parallel-compaction', '--no-parallel-pointer-update', '--gc-memory-reducer-start-delay-ms=60000']
  for (const flag of [...whileLoading, ...forGood]) setFlagsFromString(flag)
}
// Reports that Node writes of a process (--report-on-...) are read by others: tokens may stand in the environment.
process.report.excludeEnv = true
const { main } = await import((isBuilt ? built : sources).href)
process.exitCode = await main(process.argv.slice(2))
