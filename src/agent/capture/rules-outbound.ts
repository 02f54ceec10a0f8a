// What the workload sends (security spec 4.5, steps 5 to 12): first what is left alone, then the loopback cases, then what
// goes to the proxy.
import type { CaptureSettings } from './capture-settings.ts'
import type { Match, Rule } from './rule.ts'
import { chainNames, divertMark, forBoth, hbonePort, jump, leave, loopbackV6, notTo, notToPorts, outInterface, ownSource, ownedBy, protocol, rule, source, toPorts } from './rule-words.ts'
import type { Owner } from './rule-words.ts'

const lo = outInterface('lo')
const dnsQueries = 53

/** With TPROXY, what the proxy sends to its workload in a client's name has a mark: that is what came in, not a call of its own. */
export function outboundRules(settings: CaptureSettings): readonly Rule[] {
  const { excludeOutboundPorts, excludeOutboundRanges, includeOutboundPorts, includeOutboundRanges: ranges, loopbackRange, dnsServers } = settings
  return [
    ...excludeOutboundPorts.flatMap((port) => [rule([protocol('tcp'), toPorts(port)], leave), rule([protocol('udp'), toPorts(port)], leave)]),
    ...forBoth(ownSource, (range) => ({ matches: [lo, source(range)], verdict: leave })),
    ...(settings.mode === 'TPROXY' ? [rule([lo, protocol('tcp'), { on: 'mark', mark: divertMark, not: false }], leave)] : []),
    ...proxyOwners(settings).flatMap((owner) => ownerRules(owner, settings)),
    ...ownerGroupRules(settings),
    ...(dnsServers.length > 0 ? [rule([], jump(chainNames.outputDns))] : []),
    ...forBoth({ ip: loopbackRange, ip6: loopbackV6 }, (range) => ({ matches: [{ on: 'destination', range, not: false }], verdict: leave })),
    ...excludeOutboundRanges.map((range) => rule([], leave, range)),
    ...includeOutboundPorts.map((port) => rule([protocol('tcp'), toPorts(port)], jump(chainNames.redirect))),
    ...(ranges === '*' ? [rule([], jump(chainNames.redirect))] : ranges.map((range) => rule([], jump(chainNames.redirect), range))),
  ]
}

/** In the order in which their rules stand. */
export function proxyOwners({ proxyUids, proxyGids, proxyMarks }: CaptureSettings): readonly Owner[] {
  const of = (on: Owner['on'], ids: readonly number[]) => ids.map((id): Owner => ({ on, id }))
  return [...of('uid', proxyUids), ...of('gid', proxyGids), ...of('mark', proxyMarks)]
}

/**
 * What the proxy sends to its own workload's address is a call of the workload to its own service: it comes in as others do.
 * What the workload sends to itself stays where it is. All else that the proxy sends is never captured.
 */
function ownerRules(owner: Owner, settings: CaptureSettings): readonly Rule[] {
  const dns = settings.dnsServers.length > 0
  const comesIn = notToPorts(...(dns && owner.on !== 'gid' ? [dnsQueries] : []), hbonePort)
  const stays: readonly Match[] = dns ? [lo, protocol('tcp'), notToPorts(dnsQueries)] : [lo]
  return [
    ...forBoth({ ip: settings.loopbackRange, ip6: loopbackV6 }, (range) => ({ matches: [lo, notTo(range), protocol('tcp'), comesIn, ownedBy(owner)], verdict: jump(chainNames.inRedirect) })),
    ...(capturesLoopback(settings) ? [] : [rule([...stays, ownedBy(owner, true)], leave)]),
    rule([ownedBy(owner)], leave),
  ]
}

/** Whoever lists addresses of the loopback wants them captured. */
function capturesLoopback({ includeOutboundRanges: ranges }: CaptureSettings): boolean {
  return ranges !== '*' && ranges.some((range) => range.startsWith('127.') || range.startsWith('::1/'))
}

export function ownerGroupRules({ includeOwnerGroups, excludeOwnerGroups }: CaptureSettings): readonly Rule[] {
  if (includeOwnerGroups === '*') return excludeOwnerGroups.map((id) => rule([{ on: 'gid', id, not: false }], leave))
  return [rule(includeOwnerGroups.map((id): Match => ({ on: 'gid', id, not: true })), leave)]
}
