// What is sent to the workload (security spec 4.5, step 3): by rewriting its destination, or, with TPROXY, by handing it to a
// transparent socket as it is.
import type { CaptureSettings } from './capture-settings.ts'
import type { Chain, Match, Rule, Verdict } from './rule.ts'
import { chainNames, divertMark, forBoth, hbonePort, inInterface, jump, leave, loopbackV6, notTo, outInterface, ownSource, ownedBy, protocol, rule, selfMark, source, toPorts } from './rule-words.ts'
import { proxyOwners } from './rules-outbound.ts'

const tcp = protocol('tcp')

export function inboundNatRules(settings: CaptureSettings): readonly Rule[] {
  return [...leftAlone(settings), ...taken(settings).map((ports) => rule([tcp, ...ports], jump(chainNames.inRedirect)))]
}

function leftAlone({ includeInboundPorts, excludeInboundPorts }: CaptureSettings): readonly Rule[] {
  const excluded = includeInboundPorts === '*' ? excludeInboundPorts : []
  return [hbonePort, ...excluded].map((port) => rule([tcp, toPorts(port)], leave))
}

/** One for each rule: all ports, or one. */
function taken({ includeInboundPorts: ports }: CaptureSettings): readonly (readonly Match[])[] {
  return ports === '*' ? [[]] : ports.map((port) => [toPorts(port)])
}

export interface TransparentChains {
  readonly prerouting: readonly Rule[]
  readonly output: readonly Rule[]
  readonly chains: readonly Chain[]
}

export function inboundTransparentChains(settings: CaptureSettings): TransparentChains {
  const diverted: Match = { on: 'mark', mark: divertMark, not: false }
  const loopback = { ip: settings.loopbackRange, ip6: loopbackV6 }
  // While nobody listens there, nftables goes on to the next rule: it must not be the way to the workload.
  const handed = (verdict: Verdict) => forBoth(loopback, (range) => ({ matches: [notTo(range), tcp], verdict }))
  return {
    // What the proxy sends in a client's name is marked by itself; the connection remembers it for the answers.
    prerouting: [rule([tcp], jump(chainNames.inbound)), rule([tcp, diverted], { then: 'save-mark' })],
    output: [
      rule([tcp, outInterface('lo'), diverted], leave),
      ...proxyOwners(settings).flatMap((owner) => forBoth(loopback, (range) => ({ matches: [notTo(range), tcp, outInterface('lo'), ownedBy(owner)], verdict: { then: 'mark', mark: selfMark } }))),
      rule([tcp, { on: 'connection-mark', mark: divertMark }], { then: 'restore-mark' }),
    ],
    chains: [
      { name: chainNames.divert, hook: undefined, rules: [rule([], { then: 'mark', mark: divertMark }), rule([], { then: 'accept' })] },
      { name: chainNames.tproxy, hook: undefined, rules: [...handed({ then: 'transparent', port: settings.inboundPort, mark: divertMark }), ...handed({ then: 'drop' })] },
      { name: chainNames.inbound, hook: undefined, rules: transparentInbound(settings, diverted) },
    ],
  }
}

/** Over the loopback come the proxy and its workload: of those only calls of the workload to its own service are taken. */
function transparentInbound(settings: CaptureSettings, diverted: Match): readonly Rule[] {
  const lo = inInterface('lo')
  return [
    rule([tcp, diverted], leave),
    ...forBoth(ownSource, (range) => ({ matches: [tcp, source(range), lo], verdict: leave })),
    rule([tcp, lo, { on: 'mark', mark: selfMark, not: true }], leave),
    ...leftAlone(settings),
    ...taken(settings).flatMap((ports) => [
      rule([tcp, ...ports, { on: 'state', states: ['established', 'related'] }], jump(chainNames.divert)),
      rule([tcp, ...ports], jump(chainNames.tproxy)),
    ]),
  ]
}
