// Rules in the kernel by nftables: what stands there now, and one transaction that replaces it. Whether what stands there is
// what is wanted is told by a note: a chain without rules whose comment has the digest of what was wanted and of how nft
// listed it. Whoever changed a rule since then changed the listing.
import { createHash } from 'node:crypto'
import type { Backend, Standing } from './backend.ts'
import { demand } from './commands.ts'
import type { RunCommand } from './commands.ts'
import { nftRemoval, nftScript, nftTableName, nftTables } from './nft-text.ts'

const noteChain = 'trysail-note'

export const nftBackend: Backend = {
  name: 'nft',
  text: (rules) => nftScript(rules),
  async standing(run, rules): Promise<Standing> {
    const tables = tablesIn(await listing(run))
    if (tables.length === 0) return 'none'
    const note = new RegExp(`chain ${noteChain} \\{\\s*comment "([^"]*)"`).exec(tables.join(''))?.[1]
    return note === noteOf(nftScript(rules), tables) ? 'equal' : 'other'
  },
  async stands(run) {
    return tablesIn(await listing(run)).length > 0
  },
  async apply(run, rules) {
    const script = nftScript(rules)
    await demand(run, 'apply the rules', 'nft', ['-f', '-'], script)
    if (rules.tables.length === 0) return
    const note = noteOf(script, tablesIn(await listing(run)))
    await demand(run, 'note what was applied', 'nft', ['-f', '-'], `add chain inet ${nftTableName('nat')} ${noteChain} { comment "${note}" ; }\n`)
  },
  async remove(run) {
    await demand(run, 'remove the rules', 'nft', ['-f', '-'], nftRemoval())
  },
}

/** Without counters, which change all the time, and without names of groups, which depend on who asks. */
const listing = (run: RunCommand): Promise<string> => demand(run, 'read the rules', 'nft', ['--stateless', '--numeric', 'list', 'ruleset', 'inet'])

function tablesIn(text: string): readonly string[] {
  const ours = new Set(nftTables.map((name) => `table inet ${nftTableName(name)} {`))
  return text.split(/^(?=table )/m).filter((block) => ours.has(block.split('\n')[0]!))
}

function noteOf(script: string, tables: readonly string[]): string {
  const withoutNote = tables.map((table) => table.replace(new RegExp(`\\s*chain ${noteChain} \\{[^}]*\\}`), ''))
  return `${digest(script)} ${digest(withoutNote.join(''))}`
}

const digest = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 32)
