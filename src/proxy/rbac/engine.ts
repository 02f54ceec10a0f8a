// Rules that are in force and rules that are only tried, compiled; what both filters, of requests and of bytes, ask.
import type { RBAC } from '../../proto/gen/envoy/config/rbac/v3/rbac_pb.ts'
import { Decisions } from '../../security/rbac/decide.ts'
import type { RbacFacts } from '../../security/rbac/expression.ts'
import { badConfig, within } from '../http/router/problem.ts'
import type { RbacCounters, RbacCounts } from './counters.ts'
import { decodeRules } from './decode.ts'

/** What the two filters' messages have in common. */
export interface RbacConfig {
  readonly rules?: RBAC | undefined
  readonly shadowRules?: RBAC | undefined
  readonly shadowRulesStatPrefix: string
  readonly rulesStatPrefix?: string
  readonly matcher?: object | undefined
  readonly shadowMatcher?: object | undefined
}

export interface Verdict {
  readonly allowed: boolean
  /** Name of the policy that matched; empty for none. */
  readonly policy: string
  /** A rule that only marks what it matches did match. */
  readonly marked: boolean
}

export class RbacEngine {
  readonly decisions: Decisions
  readonly #counts: RbacCounts
  readonly #none: Verdict
  readonly #verdicts: readonly Verdict[]

  constructor(rules: RBAC, counts: RbacCounts) {
    this.decisions = new Decisions(decodeRules(rules))
    this.#counts = counts
    const { action, policies } = this.decisions
    this.#none = { allowed: action !== 'allow', policy: '', marked: false }
    this.#verdicts = policies.map(({ name }) => ({ allowed: action !== 'deny', policy: name, marked: action === 'log' }))
  }

  decide(facts: RbacFacts): Verdict {
    const verdict = this.judge(facts)
    if (verdict.allowed) this.#counts.allowed++
    else this.#counts.denied++
    return verdict
  }

  /** As `decide`, for those who only ask: it is not counted. */
  judge(facts: RbacFacts): Verdict {
    const found = this.decisions.match(facts)
    return found < 0 ? this.#none : this.#verdicts[found]!
  }
}

export interface Engines {
  readonly enforced: RbacEngine | undefined
  readonly shadow: RbacEngine | undefined
}

/** `prefix`: `http.inbound_0.0.0.0_9080.rbac.`. Throws for rules that it does not understand. */
export function compileEngines(config: RbacConfig, prefix: string, counters: RbacCounters): Engines {
  if (config.matcher !== undefined || config.shadowMatcher !== undefined) throw badConfig('matcher is not served: rules are')
  const { rules, shadowRules, shadowRulesStatPrefix, rulesStatPrefix = '' } = config
  return {
    enforced: rules === undefined ? undefined : within('rules', () => new RbacEngine(rules, counters.at(`${prefix}${rulesStatPrefix}`))),
    shadow: shadowRules === undefined ? undefined : within('shadow_rules', () => new RbacEngine(shadowRules, counters.at(`${prefix}${shadowRulesStatPrefix}shadow_`))),
  }
}

/** Envoy's response code details and reason for closing; `none`: nothing allowed it. */
export const denialDetails = (policy: string): string => `rbac_access_denied_matched_policy[${policy === '' ? 'none' : policy}]`
