// The words that rules are said with: short makers of matches and verdicts, and the names and numbers that Istio gives them.
import type { Family, Match, Protocol, Rule, Verdict } from './rule.ts'

export const chainNames = {
  inbound: 'istio-inbound', redirect: 'istio-redirect', inRedirect: 'istio-in-redirect', output: 'istio-output', outputDns: 'istio-output-dns',
  divert: 'istio-divert', tproxy: 'istio-tproxy',
} as const

/** Packets that the transparent socket has to get: Istio's mark, also on what the proxy sends to the workload in a client's name. */
export const divertMark = 1337
/** Packets of the proxy to its own workload: they come in once more. */
export const selfMark = 1338
/** Of the routes that deliver marked packets here. */
export const tproxyTable = 133

/** Tunnels of the ambient mesh end in the proxy itself. */
export const hbonePort = 15008

/** By which the proxy reaches its own workload: what it sends from there is never captured again. */
export const ownSource = { ip: '127.0.0.6/32', ip6: '::6/128' } as const
export const loopbackV6 = '::1/128'

export const familyOf = (range: string): Family => (range.includes(':') ? 'ip6' : 'ip')

/** With a destination, the rule is of its family. */
export function rule(matches: readonly Match[], verdict: Verdict, destinationRange?: string): Rule {
  if (destinationRange === undefined) return { family: undefined, matches, verdict }
  return { family: familyOf(destinationRange), matches: [...matches, destination(destinationRange)], verdict }
}

/** Once for each of the two. */
export function forBoth(ranges: Readonly<Record<Family, string>>, make: (range: string) => Omit<Rule, 'family'>): readonly Rule[] {
  return [{ family: 'ip', ...make(ranges.ip) }, { family: 'ip6', ...make(ranges.ip6) }]
}

export const inInterface = (name: string): Match => ({ on: 'in-interface', name })
export const outInterface = (name: string): Match => ({ on: 'out-interface', name })
export const protocol = (name: Protocol): Match => ({ on: 'protocol', protocol: name })
export const source = (range: string): Match => ({ on: 'source', range, not: false })
export const destination = (range: string): Match => ({ on: 'destination', range, not: false })
export const notTo = (range: string): Match => ({ on: 'destination', range, not: true })
export const toPorts = (...ports: readonly number[]): Match => ({ on: 'destination-port', ports, not: false })
export const notToPorts = (...ports: readonly number[]): Match => ({ on: 'destination-port', ports, not: true })

export const jump = (chain: string): Verdict => ({ then: 'jump', chain })
export const redirect = (port: number): Verdict => ({ then: 'redirect', port })
export const leave: Verdict = { then: 'return' }

/** Who sends: a user, a group, or whoever marks its packets. */
export interface Owner {
  readonly on: 'uid' | 'gid' | 'mark'
  readonly id: number
}

export function ownedBy({ on, id }: Owner, not = false): Match {
  return on === 'mark' ? { on, mark: id, not } : { on, id, not }
}
