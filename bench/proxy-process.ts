// One proxy of ours as a process, as users get it: loaded as bin/trysail.js loads it. `proxy-process.ts TASK`, see proxy-program.ts.
import { enableCompileCache } from 'node:module'
import { setFlagsFromString } from 'node:v8'

enableCompileCache()
const whileLoading = ['--semi-space-growth-factor=1', '--no-opt', '--no-maglev']
const forGood = ['--no-parallel-scavenge', '--no-parallel-compaction', '--no-parallel-pointer-update', '--gc-memory-reducer-start-delay-ms=60000']
for (const flag of [...whileLoading, ...forGood]) setFlagsFromString(flag)
await import('./proxy-program.ts')
