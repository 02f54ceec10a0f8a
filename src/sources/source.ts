// The contract of a source: something that knows resources, now and as they change. What the resources mean for the mesh
// is registry/'s business, how several sources become one world is merge.ts's.
import type { ParsedObject } from '../kinds/parse.ts'
import type { Issue, Resource } from '../model/resource.ts'

/** What changed; it decides how long the control plane waits for more of it. */
export type Urgency = 'endpoints' | 'files' | 'registry'

/** An issue, and the key of the resource that it is about: empty when that is not known, or a whole file. */
export type SourceIssue = Issue & { readonly resource: string }

/** All that a source knows at one time. Never edited: a change makes a new one. */
export interface SourceState {
  /** In use: one of each key, earlier versions where the newest is broken. */
  readonly resources: readonly Resource[]
  /** All that was written, also what is not read or not valid, in order of appearance. */
  readonly objects: readonly ParsedObject[]
  readonly issues: readonly SourceIssue[]
  /** Keys of the resources that an earlier version stands in for. */
  readonly held: ReadonlySet<string>
}

export interface Source {
  /** Resolves when `current()` is complete; `onChange` is called for what changes from then on. */
  start(onChange: (urgency: Urgency) => void): Promise<void>
  current(): SourceState
  close(): Promise<void>
}

export const emptyState: SourceState = Object.freeze({ resources: [], objects: [], issues: [], held: new Set<string>() })
