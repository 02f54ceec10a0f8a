// A workload's identity: spiffe://<trust domain>/ns/<namespace>/sa/<service account> (security spec 1.1).

export interface SpiffeId {
  readonly trustDomain: string
  readonly namespace: string
  readonly serviceAccount: string
}

export function formatSpiffeId(id: SpiffeId): string {
  return `spiffe://${id.trustDomain.replaceAll('@', '.')}/ns/${id.namespace}/sa/${id.serviceAccount}`
}

/** Undefined for anything that is not an Istio identity, which may still be a legal SPIFFE id. */
export function parseSpiffeId(uri: string): SpiffeId | undefined {
  const parts = uri.startsWith('spiffe://') ? uri.slice(9).split('/') : []
  const [trustDomain, ns, namespace, sa, serviceAccount] = parts
  if (parts.length !== 5 || ns !== 'ns' || sa !== 'sa') return undefined
  if (!trustDomain || !namespace || !serviceAccount) return undefined
  return { trustDomain, namespace, serviceAccount }
}
