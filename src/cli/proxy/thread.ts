// The entry of a proxy's other threads. Compiled code is cached for each thread that asks for it: it has to, before it loads more.
import { enableCompileCache } from 'node:module'

enableCompileCache()
const { serve } = await import('./thread-serving.ts')
await serve()
