// Which rules capture a workload's traffic: Istio's, in Istio's order (security spec 4.5), as values. The order is the
// meaning: the first rule that fits decides.
import type { CaptureSettings } from './capture-settings.ts'
import { dnsNatRules, dnsZoneChains } from './rules-dns.ts'
import { inboundNatRules, inboundTransparentChains } from './rules-inbound.ts'
import { outboundRules } from './rules-outbound.ts'
import type { Chain, Family, HookName, Rule, RuleSet, Table } from './rule.ts'
import { chainNames, divertMark, inInterface, jump, outInterface, protocol, redirect, rule, tproxyTable } from './rule-words.ts'

export function captureRules(settings: CaptureSettings): RuleSet {
  if (settings.mode === 'NONE') return { tables: [], families: [], routing: undefined, ownSourceV6: false }
  const transparent = settings.mode === 'TPROXY' && wantsInbound(settings)
  return {
    tables: [rawTable(settings), mangleTable(settings, transparent), natTable(settings, transparent)].filter(({ chains }) => chains.length > 0),
    families: familiesOf(settings),
    routing: transparent ? { mark: divertMark, table: tproxyTable } : undefined,
    ownSourceV6: settings.ipv6,
  }
}

/** An empty list: nothing that comes in is captured. */
const wantsInbound = ({ includeInboundPorts }: CaptureSettings): boolean => includeInboundPorts.length > 0

const familiesOf = ({ ipv6 }: CaptureSettings): readonly Family[] => (ipv6 ? ['ip', 'ip6'] : ['ip'])

function natTable(settings: CaptureSettings, transparent: boolean): Table {
  const toInbound = wantsInbound(settings) && !transparent ? [rule([protocol('tcp')], jump(chainNames.inbound))] : []
  return {
    name: 'nat',
    chains: withFamilies(settings, [
      hook('prerouting', [...virtualInterfaceRules(settings), ...excludedIn(settings), ...toInbound]),
      hook('output', [...excludedOut(settings), rule([], jump(chainNames.output))]),
      ...(toInbound.length > 0 ? [chain(chainNames.inbound, inboundNatRules(settings))] : []),
      chain(chainNames.redirect, [rule([protocol('tcp')], redirect(settings.outboundPort))]),
      chain(chainNames.inRedirect, [rule([protocol('tcp')], redirect(settings.inboundPort))]),
      chain(chainNames.output, outboundRules(settings)),
      ...(settings.dnsServers.length > 0 ? [chain(chainNames.outputDns, dnsNatRules(settings))] : []),
    ]),
  }
}

function mangleTable(settings: CaptureSettings, transparent: boolean): Table {
  const invalid = settings.dropInvalid ? [rule([{ on: 'state', states: ['invalid'] }], { then: 'drop' })] : []
  const { prerouting, output, chains } = transparent ? inboundTransparentChains(settings) : { prerouting: [], output: [], chains: [] }
  if (invalid.length + prerouting.length + output.length === 0) return { name: 'mangle', chains: [] }
  return {
    name: 'mangle',
    chains: withFamilies(settings, [
      hook('prerouting', [...excludedIn(settings), ...invalid, ...prerouting]),
      ...(output.length > 0 ? [hook('output', [...excludedOut(settings), ...output])] : []),
      ...chains,
    ]),
  }
}

function rawTable(settings: CaptureSettings): Table {
  return { name: 'raw', chains: settings.dnsServers.length > 0 ? withFamilies(settings, dnsZoneChains(settings)) : [] }
}

const excludedIn = ({ excludeInterfaces }: CaptureSettings): readonly Rule[] => excludeInterfaces.map((name) => rule([inInterface(name)], { then: 'return' }))
const excludedOut = ({ excludeInterfaces }: CaptureSettings): readonly Rule[] => excludeInterfaces.map((name) => rule([outInterface(name)], { then: 'return' }))

/** What a virtual machine sends comes in by its interface, and goes where the workload's own would. */
function virtualInterfaceRules({ virtualInterfaces, includeOutboundRanges: ranges }: CaptureSettings): readonly Rule[] {
  const taken = (name: string) => (ranges === '*' ? [rule([inInterface(name)], jump(chainNames.redirect))] : ranges.map((range) => rule([inInterface(name)], jump(chainNames.redirect), range)))
  return [...virtualInterfaces.flatMap(taken), ...virtualInterfaces.map((name) => rule([inInterface(name)], { then: 'return' }))]
}

const chain = (name: string, rules: readonly Rule[]): Chain => ({ name, hook: undefined, rules })
const hook = (name: HookName, rules: readonly Rule[]): Chain => ({ name, hook: name, rules })

/** Without IPv6, what is of neither family is IPv4's. */
function withFamilies({ ipv6 }: CaptureSettings, chains: readonly Chain[]): readonly Chain[] {
  if (ipv6) return chains
  const onlyV4 = (rules: readonly Rule[]) => rules.filter(({ family }) => family !== 'ip6').map((one): Rule => ({ ...one, family: 'ip' }))
  return chains.map((one) => ({ ...one, rules: onlyV4(one.rules) }))
}
