// YAML for commands that may not need it: loaded when it is first asked for, since it costs a proxy 6 MB.
import { createRequire } from 'node:module'
import type { parseDocument, stringify } from 'yaml'

interface Yaml {
  readonly parseDocument: typeof parseDocument
  readonly stringify: typeof stringify
}

export function yaml(): Yaml {
  return createRequire(import.meta.url)('yaml') as Yaml
}
