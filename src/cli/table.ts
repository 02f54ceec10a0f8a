// The commands, in the order in which help shows them. A new one is one file and one row.
import type { CommandRow } from './command.ts'

export const commands: readonly CommandRow[] = [
  { name: 'version', summary: 'Shows the version of Trysail and of Node.', load: async () => (await import('./version.ts')).command },
]
