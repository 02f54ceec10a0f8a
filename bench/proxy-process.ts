// One proxy of ours as a process, as users get it: loaded as bin/trysail.js loads it. `proxy-process.ts TASK`, see proxy-program.ts.
import { enableCompileCache } from 'node:module'
import { setFlagsFromString } from 'node:v8'

enableCompileCache()
for (const flag of ['--semi-space-growth-factor=1', '--no-opt', '--no-maglev']) setFlagsFromString(flag)
await import('./proxy-program.ts')
