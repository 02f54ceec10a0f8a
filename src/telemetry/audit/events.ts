// The schema of the audit log: what is written down, by control plane and proxies alike. docs/security.md has it for
// people. No event has a place for a token, a key or the content of a resource.

/** Who was at the other end, as far as the connection proves it. */
export interface AuditPeer {
  /** `10.0.0.7:41234`. */
  readonly address: string
  /** SPIFFE id of its certificate; empty without one. */
  readonly identity: string
}

/** A request that was refused, or that an AUDIT policy asks to write down. */
export interface RequestEvent {
  readonly event: 'request-denied' | 'request-audited'
  readonly client: AuditPeer
  /** Where the client meant to go. */
  readonly destination: string
  readonly method: string
  readonly authority: string
  /** Without its query, which may carry tokens. */
  readonly path: string
  readonly requestId: string
  readonly status: number
  /** Envoy's response code details. */
  readonly reason: string
  /**
   * `ns[default]-policy[deny-all]-rule[0]`: that denied it, where the reason names one, or would have allowed it and came nearest.
   * Of AUDIT policies that matched, the first by name.
   */
  readonly policy?: string
  /** Which attribute decided. */
  readonly detail?: string
}

/** A connection that was refused, by a policy or before anybody served it; or one that an AUDIT policy asks to write down. */
export interface ConnectionEvent {
  readonly event: 'connection-denied' | 'connection-audited' | 'handshake-refused'
  readonly client: AuditPeer
  readonly destination: string
  readonly serverName: string
  /** Of one that was let in: why it ended, where there is a word for it. */
  readonly reason: string
  readonly detail?: string
  readonly policy?: string
}

export interface CertificateIssued {
  readonly event: 'certificate-issued'
  readonly client: AuditPeer
  readonly identity: string
  /** How it proved who it is. */
  readonly proof: string
  readonly serial: string
  /** ISO 8601. */
  readonly notAfter: string
}

export interface CertificateRefused {
  readonly event: 'certificate-refused'
  readonly client: AuditPeer
  readonly reason: string
}

export interface ProxyEvent {
  readonly event: 'proxy-joined' | 'proxy-left' | 'proxy-refused'
  readonly client: AuditPeer
  /** Node id as the proxy says it; empty when it said none. */
  readonly node: string
  readonly reason?: string
}

/** A resource as it is in use from now on. */
export interface ConfigEvent {
  readonly event: 'config-added' | 'config-changed' | 'config-removed'
  readonly kind: string
  readonly namespace: string
  readonly name: string
  /** `mesh/reviews.yaml:12`. */
  readonly origin: string
  readonly generation: number
  /** SHA-256 of kind, name and spec; of a removed one, as it was. */
  readonly hash: string
}

export interface AdminEvent {
  readonly event: 'admin-action'
  /** `POST /drain_listeners`. */
  readonly action: string
  readonly client: AuditPeer
}

/** Events before this one were lost. */
export interface LostEvent {
  readonly event: 'events-lost'
  readonly count: number
}

export type AuditEvent =
  | RequestEvent | ConnectionEvent | CertificateIssued | CertificateRefused | ProxyEvent | ConfigEvent | AdminEvent | LostEvent

/** How many events are in the file, and how many found no room. */
export interface AuditCounts {
  readonly written: number
  readonly lost: number
}

/** Never throws, never waits. */
export type WriteAudit = (event: AuditEvent) => void
