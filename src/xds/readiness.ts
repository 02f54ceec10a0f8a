// What control plane and proxies agree on about a workload that has begun: a proxy may have joined long before its application
// takes requests. One that will say when it does writes so into its node; the control plane answers with an empty response, and
// from then on hears how the application is, as from those that register themselves. Other control planes are told nothing.

/** The type of that response. */
export const readinessType = 'type.googleapis.com/trysail.v1.Readiness'

/** In the metadata of the node: `true`. */
export const readinessMetadata = 'TRYSAIL_READINESS'
