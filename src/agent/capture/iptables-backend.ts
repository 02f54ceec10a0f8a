// Rules in the kernel by iptables and ip6tables. Others' rules in the same chains stay where they are: only our chains, what
// leads to them and the rules with our comment are replaced. What was applied is told by a note, as with nftables; it also says
// which tables were not there before: those go with us, unless somebody else uses them by then.
import { createHash } from 'node:crypto'
import { hasCode } from '../../lib/errors.ts'
import type { Backend, Standing } from './backend.ts'
import { demand } from './commands.ts'
import type { RunCommand } from './commands.ts'
import { iptablesChain, iptablesScript, iptablesTables, noteChain, ownComment } from './iptables-text.ts'
import type { Family, RuleSet, TableName } from './rule.ts'
import { chainNames } from './rule-words.ts'

const programs: Readonly<Record<Family, string>> = { ip: 'iptables', ip6: 'ip6tables' }
const ownChains = new Set([...Object.values(chainNames).map(iptablesChain), noteChain])

export const iptablesBackend: Backend = {
  name: 'iptables',
  text: (rules) => rules.families.map((family) => `# ${programs[family]}-restore --noflush\n${iptablesScript(rules, family)}`).join('\n'),
  async standing(run, rules): Promise<Standing> {
    const all = await Promise.all((['ip', 'ip6'] as const).map((family) => standingOf(run, rules, family)))
    if (all.every((one) => one === 'none')) return 'none'
    return all.every((one, i) => one === (rules.families.includes((['ip', 'ip6'] as const)[i]!) ? 'equal' : 'none')) ? 'equal' : 'other'
  },
  async stands(run) {
    const all = await Promise.all((['ip', 'ip6'] as const).map(async (family) => ownLines(await saved(run, family))))
    return all.some((lines) => lines.length > 0)
  },
  async apply(run, rules) {
    for (const family of rules.families) await applyTo(run, rules, family)
    if (!rules.families.includes('ip6')) await removeFrom(run, 'ip6')
    if (!rules.families.includes('ip')) await removeFrom(run, 'ip')
  },
  async remove(run) {
    await removeFrom(run, 'ip')
    await removeFrom(run, 'ip6')
  },
}

async function standingOf(run: RunCommand, rules: RuleSet, family: Family): Promise<Standing> {
  const own = ownLines(await saved(run, family))
  if (own.length === 0) return 'none'
  return noteIn(own).digests === noteOf(rules, family, own) ? 'equal' : 'other'
}

function noteIn(own: readonly string[]): { readonly digests: string | undefined; readonly made: readonly string[] } {
  const [, digests, made = ''] = new RegExp(`-A ${noteChain} -m comment --comment "([^" ]* [^" ]*)(?: made ([a-z,]+))?"`).exec(own.join('\n')) ?? []
  return { digests, made: made === '' ? [] : made.split(',') }
}

async function applyTo(run: RunCommand, rules: RuleSet, family: Family): Promise<void> {
  const before = await saved(run, family)
  const deleted = deletions(before)
  await restore(run, family, iptablesScript(rules, family, (table) => deleted.get(table) ?? []))
  const after = await saved(run, family)
  const made = [...noteIn(ownLines(before)).made, ...[...after.keys()].filter((name) => !before.has(name))]
  const note = `${noteOf(rules, family, ownLines(after))}${made.length === 0 ? '' : ` made ${made.join(',')}`}`
  await restore(run, family, `*nat\n:${noteChain} - [0:0]\n-A ${noteChain} -m comment --comment "${note}" -j RETURN\nCOMMIT\n`)
}

async function removeFrom(run: RunCommand, family: Family): Promise<void> {
  const before = await saved(run, family)
  const tables = [...deletions(before)].filter(([, lines]) => lines.length > 0)
  if (tables.length === 0) return
  await restore(run, family, tables.map(([name, lines]) => `*${name}\n${lines.join('\n')}\nCOMMIT\n`).join(''))
  await unmake(run, family, noteIn(ownLines(before)).made)
}

/** The older iptables has tables that nobody made; the newer one's are nftables', and stay when they are empty. */
async function unmake(run: RunCommand, family: Family, made: readonly string[]): Promise<void> {
  const left = made.length === 0 ? [] : [...await saved(run, family)].filter(([name, lines]) => made.includes(name) && lines.every((line) => /^:[A-Z]+ ACCEPT /.test(line)))
  for (const [name] of left) {
    // Without nft they stay: an empty table does nothing.
    await run('nft', ['delete', 'table', family, name]).catch((error: unknown) => {
      if (!hasCode(error, 'agent/no-program')) throw error
    })
  }
}

const restore = (run: RunCommand, family: Family, script: string): Promise<string> => demand(run, 'apply the rules', `${programs[family]}-restore`, ['--noflush'], script)

/** Table -> its lines; only of those that there are. */
async function saved(run: RunCommand, family: Family): Promise<ReadonlyMap<TableName, readonly string[]>> {
  const text = await demand(run, 'read the rules', `${programs[family]}-save`, [])
  return new Map(iptablesTables.flatMap((name) => linesOf(text, name)))
}

function linesOf(text: string, table: TableName): readonly (readonly [TableName, readonly string[]])[] {
  const lines = text.split('\n')
  const from = lines.indexOf(`*${table}`)
  return from === -1 ? [] : [[table, lines.slice(from + 1, lines.indexOf('COMMIT', from))]]
}

const chainOf = (line: string): string => line.slice(line.startsWith(':') ? 1 : 3).split(' ')[0]!
const leadsTo = (line: string): string => / -[jg] (\S+)/.exec(line)?.[1] ?? ''
/** Also what Istio's own tool left: a chain that something leads to cannot be deleted. */
const isOwn = (line: string): boolean => ownChains.has(chainOf(line)) || ownChains.has(leadsTo(line)) || new RegExp(`--comment ${ownComment}( |$)`).test(line)

/** Without counters. */
function ownLines(tables: ReadonlyMap<TableName, readonly string[]>): readonly string[] {
  return [...tables].flatMap(([name, lines]) => lines.filter(isOwn).map((line) => `${name} ${line.replace(/\[\d+:\d+\]/, '')}`))
}

/** Rules of ours in chains of others first, then our chains: one that something leads to cannot be deleted. */
function deletions(tables: ReadonlyMap<TableName, readonly string[]>): ReadonlyMap<TableName, readonly string[]> {
  return new Map([...tables].map(([name, lines]) => {
    const chains = lines.filter((line) => line.startsWith(':') && isOwn(line)).map(chainOf)
    const jumps = lines.filter((line) => line.startsWith('-A') && isOwn(line) && !ownChains.has(chainOf(line)))
    return [name, [...jumps.map((line) => `-D${line.slice(2)}`), ...chains.map((chain) => `-F ${chain}`), ...chains.map((chain) => `-X ${chain}`)]]
  }))
}

function noteOf(rules: RuleSet, family: Family, own: readonly string[]): string {
  const standing = own.filter((line) => !line.includes(noteChain))
  return `${digest(iptablesScript(rules, family))} ${digest(standing.join('\n'))}`
}

const digest = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 32)
