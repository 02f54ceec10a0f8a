// What `trysail run` and a proxy that it started in another network say to each other, over node's own channel between parent
// and child. Each question has a number, its answer the same one. Sockets go beside a message.
import type { Probe } from '../../agent/probe/probe.ts'
import type { AuditEvent } from '../../telemetry/audit/events.ts'
import type { Address } from '../../model/address.ts'

export type ToProxy =
  /** First of all; the admin server's socket beside it. */
  | { readonly kind: 'begin'; readonly token: string; readonly roots: string }
  /** In place of the one before. */
  | { readonly kind: 'token'; readonly token: string }
  /** Answers `listen`: a socket beside it, or none because nothing of the parent's network leads there. */
  | { readonly kind: 'socket'; readonly id: number; readonly problem?: string }
  | { readonly kind: 'probe'; readonly id: number; readonly probe: Probe; readonly timeoutMs: number }
  | { readonly kind: 'drain'; readonly id: number; readonly timeoutMs: number }

export type FromProxy =
  /** It listens on this address in its own network: is there one of the parent's that leads to the same? */
  | { readonly kind: 'listen'; readonly id: number; readonly address: Address }
  | { readonly kind: 'ready' }
  /** To be written down where the parent does. */
  | { readonly kind: 'audit'; readonly event: AuditEvent }
  | { readonly kind: 'probed'; readonly id: number; readonly problem?: string }
  | { readonly kind: 'drained'; readonly id: number; readonly left: number }
