// What the first thread of a proxy and the others say to each other. The first one owns what there is one of: identity,
// the stream to the control plane, the admin server. What it accepts it tells the others, as the bytes that came.
import type { AuditEvent } from '../../telemetry/audit/events.ts'
import type { BoundSocket } from '../../net/listen-set.ts'
import type { CertificateSecret, TrustSecret } from '../identity/secrets.ts'
import type { OutlierCause } from '../upstream/outlier/settings.ts'
import type { ThreadReport } from './report.ts'

/** An update of the control plane. */
export interface PlainUpdate {
  readonly typeUrl: string
  readonly version: string
  readonly resources: readonly { readonly name: string; readonly version: string; readonly bytes: Uint8Array }[]
  readonly removed: readonly string[]
}

/** Memory that all threads see, and how many there are. */
export interface NumbersMemory {
  readonly breakers: SharedArrayBuffer
  readonly outliers: SharedArrayBuffer
  readonly threads: number
}

export type ToThread =
  | { readonly kind: 'memory'; readonly memory: NumbersMemory }
  /** Where clusters have their numbers: before the update that brings them. -1: nowhere any more. */
  | { readonly kind: 'breaker-rows'; readonly rows: readonly (readonly [cluster: string, row: number])[] }
  | { readonly kind: 'outlier-rows'; readonly cluster: string; readonly rows: readonly (readonly [host: string, row: number])[] }
  /** All hosts of a cluster that are left out now, and why. */
  | { readonly kind: 'ejected'; readonly cluster: string; readonly hosts: ReadonlyMap<string, string> }
  | { readonly kind: 'identity'; readonly certificate: CertificateSecret | undefined; readonly trust: TrustSecret | undefined }
  | { readonly kind: 'update'; readonly update: PlainUpdate }
  /** Where the first thread listens: the others may too. */
  | { readonly kind: 'bound'; readonly addresses: readonly string[] }
  | { readonly kind: 'report' }
  | { readonly kind: 'reopen-logs' }
  | { readonly kind: 'drain'; readonly timeoutMs: number; readonly inboundOnly: boolean }
  | { readonly kind: 'close' }

export type FromThread =
  | { readonly kind: 'ready' }
  | { readonly kind: 'report'; readonly report: ThreadReport }
  /** Its listening sockets, whenever they change. */
  | { readonly kind: 'sockets'; readonly sockets: readonly BoundSocket[] }
  | { readonly kind: 'drained'; readonly left: number }
  /** Everything has ended; the thread may go. */
  | { readonly kind: 'closed' }
  /** A host fails for the first time: its numbers are wanted. */
  | { readonly kind: 'outlier-row'; readonly cluster: string; readonly host: string }
  /** It has failed as often as it may. */
  | { readonly kind: 'outlier'; readonly cluster: string; readonly host: string; readonly cause: OutlierCause }
  | { readonly kind: 'log'; readonly line: string }
  | { readonly kind: 'audit'; readonly event: AuditEvent }
  /** A key that this source should have. */
  | { readonly kind: 'missing-key'; readonly source: string }

/** One end of a thread's line. */
export interface Link<Out, In> {
  send(message: Out): void
  onMessage: (message: In) => void
}

/** Another thread, as the first one sees it. */
export interface ThreadHandle extends Link<ToThread, FromThread> {
  /** It is over, and why: empty when it was told to. */
  onExit: (reason: string) => void
  /** At once. */
  end(): void
}
