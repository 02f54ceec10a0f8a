// envoy.filters.http.rbac: requests that policies do not allow are answered 403. The client is told no more than that;
// which policy it was stands in the response code details, and why in the metadata of the exchange.
import { anyUnpack } from '@bufbuild/protobuf/wkt'
import type { Any } from '@bufbuild/protobuf/wkt'
import { RBACPerRouteSchema, RBACSchema } from '../../../proto/gen/envoy/extensions/filters/http/rbac/v3/rbac_pb.ts'
import type { RBAC } from '../../../proto/gen/envoy/extensions/filters/http/rbac/v3/rbac_pb.ts'
import { whyDenied } from '../../../security/rbac/why.ts'
import type { WhyDenied } from '../../../security/rbac/why.ts'
import { RbacCounters } from '../../rbac/counters.ts'
import { compileEngines, denialDetails } from '../../rbac/engine.ts'
import type { Engines, RbacEngine, Verdict } from '../../rbac/engine.ts'
import { getMetadata, setMetadata } from '../dynamic-metadata.ts'
import type { Exchange } from '../exchange.ts'
import type { Filter, LocalReply } from '../filter.ts'
import { badConfig } from '../router/problem.ts'
import { HttpFacts } from './rbac-facts.ts'
import type { FilterKind } from './table.ts'

const namespace = 'envoy.filters.http.rbac'

/** Envoy's name for what a rule that only marks requests says to logs. */
const commonNamespace = 'envoy.common'

/** Of our own: what logs say of a denial. */
export const whyNamespace = 'trysail.authorization'

/** A policy is compiled once, however many routes have chains of their own. */
const filters = new WeakMap<Any, Filter>()

export const rbac: FilterKind = {
  overrideType: RBACPerRouteSchema.typeName,
  create(config, override, { believesForwardedFor = false, statPrefix = '', rbacCounters = new RbacCounters() }) {
    const known = override === undefined ? filters.get(config) : undefined
    if (known !== undefined) return known
    const message = override === undefined ? unpacked(config) : perRoute(override)
    if (message === undefined) return undefined
    const engines = compileEngines(message, `http.${statPrefix === '' ? '' : `${statPrefix}.`}rbac.`, rbacCounters)
    if (engines.enforced === undefined && engines.shadow === undefined) return undefined
    const filter = rbacFilter(engines, message.shadowRulesStatPrefix, believesForwardedFor)
    if (override === undefined) filters.set(config, filter)
    return filter
  },
}

function unpacked(config: Any): RBAC {
  const message = anyUnpack(config, RBACSchema)
  if (message === undefined) throw badConfig(`${config.typeUrl} is not RBAC`)
  return message
}

/** Undefined: this route does without. */
function perRoute(override: Any): RBAC | undefined {
  const message = anyUnpack(override, RBACPerRouteSchema)
  if (message === undefined) throw badConfig(`${override.typeUrl} is not RBAC of a route`)
  return message.rbac
}

function rbacFilter({ enforced, shadow }: Engines, shadowPrefix: string, believesForwardedFor: boolean): Filter {
  const facts = new HttpFacts(believesForwardedFor)
  const replies = new Map<string, LocalReply>()
  return {
    name: 'rbac',
    onRequest(exchange) {
      facts.exchange = exchange
      if (shadow !== undefined) sayShadow(exchange, shadow.decide(facts), shadowPrefix)
      if (enforced === undefined) return undefined
      const verdict = enforced.decide(facts)
      if (verdict.marked) {
        setMetadata(exchange, commonNamespace, { ...getMetadata(exchange, commonNamespace), access_log_hint: true })
        setMetadata(exchange, whyNamespace, { policy: verdict.policy })
      }
      if (verdict.allowed) return undefined
      setMetadata(exchange, whyNamespace, new Why(enforced, verdict, exchange, believesForwardedFor))
      return replyTo(verdict, replies)
    },
    recheck(exchange) {
      if (enforced === undefined) return undefined
      facts.exchange = exchange
      const verdict = enforced.judge(facts)
      return verdict.allowed ? undefined : replyTo(verdict, replies)
    },
  }
}

function sayShadow(exchange: Exchange, { allowed, policy }: Verdict, prefix: string): void {
  const said: Record<string, unknown> = { ...getMetadata(exchange, namespace), [`${prefix}shadow_engine_result`]: allowed ? 'allowed' : 'denied' }
  if (policy !== '') said[`${prefix}shadow_effective_policy_id`] = policy
  setMetadata(exchange, namespace, said)
}

/** Found out when somebody reads it: an attacker who is denied a thousand times must not cost a thousand explanations. */
class Why {
  readonly [key: string]: unknown
  readonly #find: () => WhyDenied
  #found: WhyDenied | undefined = undefined

  constructor({ decisions }: RbacEngine, { policy }: Verdict, exchange: Exchange, believesForwardedFor: boolean) {
    this.#find = () => {
      const facts = new HttpFacts(believesForwardedFor)
      facts.exchange = exchange
      return whyDenied(decisions, decisions.policies.find(({ name }) => name === policy), facts)
    }
  }

  get policy(): string {
    return (this.#found ??= this.#find()).policy ?? ''
  }

  get reason(): string {
    return (this.#found ??= this.#find()).reason
  }
}

/** One for each policy that has denied something: there are no more than policies. */
function replyTo({ policy }: Verdict, replies: Map<string, LocalReply>): LocalReply {
  const known = replies.get(policy)
  if (known !== undefined) return known
  const reply: LocalReply = { status: 403, body: 'RBAC: access denied', details: denialDetails(policy), flags: '', headers: [], grpcStatus: undefined }
  replies.set(policy, reply)
  return reply
}
