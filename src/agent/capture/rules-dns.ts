// Queries of the workload to its name servers go to the proxy; those of the proxy itself go on (security spec 4.5, step 10).
// Both look the same to connection tracking, so each side gets a zone of its own.
import type { CaptureSettings } from './capture-settings.ts'
import type { Chain, Match, Protocol, Rule } from './rule.ts'
import { chainNames, destination, familyOf, jump, leave, ownedBy, protocol, redirect, rule, source, toPorts } from './rule-words.ts'
import type { Owner } from './rule-words.ts'
import { ownerGroupRules, proxyOwners } from './rules-outbound.ts'

const queries: readonly Match[] = [protocol('udp'), toPorts(53)]
const proxyZone = 1
const workloadZone = 2

export function dnsNatRules(settings: CaptureSettings): readonly Rule[] {
  return [
    ...toProxy('tcp', settings),
    ...proxyOwners(settings).map((owner) => rule([...queries, ownedBy(owner)], leave)),
    ...ownerGroupRules(settings).map((one): Rule => ({ ...one, matches: [...queries, ...one.matches] })),
    ...toProxy('udp', settings),
  ]
}

/** Marked is what the proxy sends of its own accord; the socket that answers is known by its port. */
const answeredBy = (owner: Owner): readonly Match[] => (owner.on === 'mark' ? [] : [ownedBy(owner)])

const toProxy = (name: Protocol, settings: CaptureSettings): readonly Rule[] => forServers(settings, [protocol(name), toPorts(53)], destination).map((one): Rule => ({ ...one, verdict: redirect(settings.dnsPort) }))

/** One rule for each name server, or one for any. */
function forServers({ dnsServers }: CaptureSettings, matches: readonly Match[], at: (range: string) => Match): readonly Rule[] {
  if (dnsServers === '*') return [rule(matches, leave)]
  return dnsServers.map((server) => {
    const range = `${server}/${server.includes(':') ? 128 : 32}`
    return { family: familyOf(range), matches: [...matches, at(range)], verdict: leave }
  })
}

export function dnsZoneChains(settings: CaptureSettings): readonly Chain[] {
  const answers: readonly Match[] = [protocol('udp'), { on: 'source-port', port: settings.dnsPort }]
  const inZone = (zone: number) => (one: Rule): Rule => ({ ...one, verdict: { then: 'zone', zone } })
  return [
    { name: 'prerouting', hook: 'prerouting', rules: [rule([], jump(chainNames.inbound))] },
    { name: 'output', hook: 'output', rules: [rule([], jump(chainNames.outputDns))] },
    { name: chainNames.inbound, hook: undefined, rules: forServers(settings, [protocol('udp'), { on: 'source-port', port: 53 }], source).map(inZone(proxyZone)) },
    {
      name: chainNames.outputDns, hook: undefined,
      rules: [
        ...proxyOwners(settings).flatMap((owner) => [inZone(proxyZone)(rule([...queries, ownedBy(owner)], leave)), inZone(workloadZone)(rule([...answers, ...answeredBy(owner)], leave))]),
        ...forServers(settings, queries, destination).map(inZone(workloadZone)),
      ],
    },
  ]
}
