// What control plane and proxies agree on about a proxy that is to end: it says so on its stream, its workload gets no new
// requests from then on, and once every connected proxy knows, an empty response of the same type says that. Other control
// planes do not answer; nobody waits for them for long.

export const leavingType = 'type.googleapis.com/trysail.v1.Leaving'

/** How long the control plane waits for proxies that do not acknowledge. */
export const everybodyKnowsMs = 2_000
