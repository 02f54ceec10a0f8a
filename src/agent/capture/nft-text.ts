// Rules in the language of nftables: one script, which the kernel takes as a whole or not at all. The tables are named as
// Istio names its own, so that people and tools find them.
import type { Chain, HookName, Match, Protocol, Rule, RuleSet, Table, TableName, Verdict } from './rule.ts'

export const nftTables: readonly TableName[] = ['raw', 'mangle', 'nat']

export const nftTableName = (name: TableName): string => `istio-proxy-${name}`

/** A script that puts these rules in the place of whatever was in our tables before. */
export function nftScript(rules: RuleSet): string {
  return [nftRemoval(), ...rules.tables.map(tableText)].join('\n')
}

/** A table that is not there is made first: what is deleted has to exist. */
export function nftRemoval(): string {
  return nftTables.map((name) => `table inet ${nftTableName(name)}\ndelete table inet ${nftTableName(name)}\n`).join('')
}

function tableText({ name, chains }: Table): string {
  return `table inet ${nftTableName(name)} {\n${chains.map((chain) => chainText(name, chain)).join('\n')}}\n`
}

function chainText(table: TableName, { name, hook, rules }: Chain): string {
  const lines = [...(hook === undefined ? [] : [hookText(table, hook)]), ...rules.map(ruleText)]
  return `  chain ${name} {\n${lines.map((line) => `    ${line}\n`).join('')}  }\n`
}

const priorities: Readonly<Record<TableName, number>> = { raw: -300, mangle: -150, nat: -100 }

function hookText(table: TableName, hook: HookName): string {
  return `type ${hookType(table, hook)} hook ${hook} priority ${priorities[table]}; policy accept;`
}

/** A mark that is set on the way out has to choose the route anew. */
function hookType(table: TableName, hook: HookName): string {
  if (table === 'nat') return 'nat'
  return table === 'mangle' && hook === 'output' ? 'route' : 'filter'
}

function ruleText(rule: Rule): string {
  const spoken = rule.matches.flatMap((match) => (match.on === 'protocol' ? match.protocol : []))[0] ?? 'tcp'
  const hasPorts = rule.matches.some(({ on }) => on === 'destination-port' || on === 'source-port')
  const told = rule.matches.some(({ on }) => on === 'source' || on === 'destination')
  const family = rule.family === undefined || told ? [] : [`meta nfproto ${rule.family === 'ip' ? 'ipv4' : 'ipv6'}`]
  const matches = rule.matches.filter(({ on }) => on !== 'protocol' || !hasPorts).map((match) => matchText(match, rule, spoken))
  return [...family, ...matches, 'counter', verdictText(rule.verdict, rule)].join(' ')
}

function matchText(match: Match, { family }: Rule, spoken: Protocol): string {
  switch (match.on) {
    case 'in-interface': return `iifname "${match.name}"`
    case 'out-interface': return `oifname "${match.name}"`
    case 'protocol': return `meta l4proto ${match.protocol}`
    case 'source': return `${family ?? 'ip'} saddr ${unless(match.not)}${match.range}`
    case 'destination': return `${family ?? 'ip'} daddr ${unless(match.not)}${match.range}`
    case 'destination-port': return `${spoken} dport ${unless(match.not)}${oneOf(match.ports)}`
    case 'source-port': return `${spoken} sport ${match.port}`
    case 'uid': return `meta skuid ${unless(match.not)}${match.id}`
    case 'gid': return `meta skgid ${unless(match.not)}${match.id}`
    case 'mark': return `meta mark ${unless(match.not)}${match.mark}`
    case 'connection-mark': return `ct mark ${match.mark}`
    case 'state': return `ct state ${match.states.join(',')}`
  }
}

const unless = (not: boolean): string => (not ? '!= ' : '')
const oneOf = (ports: readonly number[]): string => (ports.length === 1 ? String(ports[0]) : `{ ${ports.join(', ')} }`)

function verdictText(verdict: Verdict, { family }: Rule): string {
  switch (verdict.then) {
    case 'return': case 'accept': case 'drop': return verdict.then
    case 'jump': return `jump ${verdict.chain}`
    case 'redirect': return `redirect to :${verdict.port}`
    case 'transparent': return `tproxy ${family ?? 'ip'} to :${verdict.port} meta mark set ${verdict.mark} accept`
    case 'mark': return `meta mark set ${verdict.mark}`
    case 'save-mark': return 'ct mark set meta mark'
    case 'restore-mark': return 'meta mark set ct mark'
    case 'zone': return `ct zone set ${verdict.zone}`
  }
}
