// Rules in the language of iptables-restore, for systems without nftables. Chains have Istio's names there too; what we add to
// the kernel's own chains carries a comment, by which it is found again.
import type { Chain, Family, HookName, Match, Rule, RuleSet, Table, Verdict } from './rule.ts'

/** On every rule of ours in a chain that is not ours. */
export const ownComment = 'trysail'
/** A chain that nothing leads to: its one rule has a comment that says what was applied. */
export const noteChain = 'TRYSAIL_NOTE'
export const iptablesTables = ['raw', 'mangle', 'nat'] as const

/** `istio-in-redirect` -> `ISTIO_IN_REDIRECT`. */
export const iptablesChain = (name: string): string => name.replaceAll('-', '_').toUpperCase()

/** What is put in front of the rules of one table: deletions of what was there. */
export type Before = (table: Table['name']) => readonly string[]

/** One table after the other: iptables can put each in place as a whole, not all of them at once. */
export function iptablesScript(rules: RuleSet, family: Family, before: Before = () => []): string {
  const tables = iptablesTables.map((name) => rules.tables.find((table) => table.name === name) ?? { name, chains: [] })
  return tables.map((table) => tableText(table, family, before(table.name))).join('')
}

function tableText({ name, chains }: Table, family: Family, before: readonly string[]): string {
  const own = chains.filter(({ hook }) => hook === undefined).map((chain) => iptablesChain(chain.name))
  const lines = [...before, ...own.map((chain) => `:${chain} - [0:0]`), ...chains.flatMap((chain) => chainLines(chain, family))]
  return lines.length === 0 ? '' : `*${name}\n${lines.map((line) => `${line}\n`).join('')}COMMIT\n`
}

function chainLines({ name, hook, rules }: Chain, family: Family): readonly string[] {
  const chain = hook === undefined ? iptablesChain(name) : hookChains[hook]
  const mark = hook === undefined ? '' : ` -m comment --comment ${ownComment}`
  return rules.filter((rule) => rule.family === undefined || rule.family === family).map((rule) => `-A ${chain} ${ruleText(rule)}${mark}`)
}

const hookChains: Readonly<Record<HookName, string>> = { prerouting: 'PREROUTING', output: 'OUTPUT' }

const ruleText = ({ matches, verdict }: Rule): string => [...matches.map(matchText), verdictText(verdict)].join(' ')

function matchText(match: Match): string {
  switch (match.on) {
    case 'in-interface': return `-i ${match.name}`
    case 'out-interface': return `-o ${match.name}`
    case 'protocol': return `-p ${match.protocol}`
    case 'source': return `${unless(match.not)}-s ${match.range}`
    case 'destination': return `${unless(match.not)}-d ${match.range}`
    case 'destination-port': return match.ports.length === 1 ? `${unless(match.not)}--dport ${match.ports[0]}` : `-m multiport ${unless(match.not)}--dports ${match.ports.join(',')}`
    case 'source-port': return `--sport ${match.port}`
    case 'uid': return `-m owner ${unless(match.not)}--uid-owner ${match.id}`
    case 'gid': return `-m owner ${unless(match.not)}--gid-owner ${match.id}`
    case 'mark': return `-m mark ${unless(match.not)}--mark ${match.mark}`
    case 'connection-mark': return `-m connmark --mark ${match.mark}`
    case 'state': return `-m conntrack --ctstate ${match.states.join(',').toUpperCase()}`
  }
}

const unless = (not: boolean): string => (not ? '! ' : '')

function verdictText(verdict: Verdict): string {
  switch (verdict.then) {
    case 'return': case 'accept': case 'drop': return `-j ${verdict.then.toUpperCase()}`
    case 'jump': return `-j ${iptablesChain(verdict.chain)}`
    case 'redirect': return `-j REDIRECT --to-ports ${verdict.port}`
    case 'transparent': return `-j TPROXY --on-port ${verdict.port} --tproxy-mark ${verdict.mark}/0xffffffff`
    case 'mark': return `-j MARK --set-mark ${verdict.mark}`
    case 'save-mark': return '-j CONNMARK --save-mark'
    case 'restore-mark': return '-j CONNMARK --restore-mark'
    case 'zone': return `-j CT --zone ${verdict.zone}`
  }
}
