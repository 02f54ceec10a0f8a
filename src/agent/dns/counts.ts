// What the DNS proxy counts: Istio's metrics by their names, and beside them where answers came from and what was refused.
import { Metrics } from '../../telemetry/metrics/registry.ts'
import type { Counter, Histogram } from '../../telemetry/metrics/series.ts'

/** Where an answer came from, or why there was none that the client hoped for. */
export type Outcome = 'mesh' | 'cache' | 'upstream' | 'failed' | 'refused' | 'malformed' | 'not-a-query' | 'too-many' | 'loop' | 'not-ready'

const bounds = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5]

export class DnsCounts {
  readonly metrics = new Metrics()
  readonly requests = this.#counter('dns_requests_total', 'Queries that came.')
  readonly upstreamRequests = this.#counter('dns_upstream_requests_total', 'Queries that were sent on to a resolver.')
  readonly upstreamFailures = this.#counter('dns_upstream_failures_total', 'Queries sent on that brought no answer.')
  readonly upstreamMismatched = this.#counter('trysail_dns_upstream_mismatched_total', 'Responses of resolvers to something else than was asked.')
  readonly upstreamSeconds: Histogram = this.metrics.histogram({ name: 'dns_upstream_request_duration_seconds', help: 'How long resolvers took.', labels: [] }, bounds).with([])
  readonly #outcomes = this.metrics.counter({ name: 'trysail_dns_answers_total', help: 'How queries ended.', labels: ['from'] })
  readonly #byOutcome = new Map<Outcome, Counter>()

  ended(outcome: Outcome): void {
    let counter = this.#byOutcome.get(outcome)
    if (counter === undefined) this.#byOutcome.set(outcome, (counter = this.#outcomes.with([outcome])))
    counter.add(1)
  }

  #counter(name: string, help: string): Counter {
    return this.metrics.counter({ name, help, labels: [] }).with([])
  }
}
