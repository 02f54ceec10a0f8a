// What an operator wrote: one object of one kind, with the place where it stands, and what is wrong with it.

/** Where a piece of configuration stands. Lines and columns count from 1. */
export interface Origin {
  /** A path, `-` for standard input, or a URL for what no file holds (`kubernetes://...`). */
  readonly file: string
  readonly line: number
  readonly column: number
}

/** A place inside a resource: `['spec', 'http', 0, 'route']`. */
export type FieldPath = readonly (string | number)[]

export interface ObjectMeta {
  readonly name: string
  readonly namespace: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  /** Milliseconds since the epoch; undefined when the document has none: order of appearance decides then. */
  readonly creationTimestamp: number | undefined
  readonly generation: number
  /** The object that made this one, such as the ReplicaSet of a Pod. */
  readonly owner?: { readonly kind: string; readonly name: string }
  /** Its deletion was asked for: a Pod that terminates. */
  readonly deleting?: boolean
}

/** One thing an operator wrote. Frozen. `Spec` is the parsed form, defaults applied. */
export interface Resource<Spec = unknown> {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: ObjectMeta
  readonly spec: Spec
  /** As it was written; only some sources give one, and few kinds read it. */
  readonly status?: unknown
  readonly origin: Origin
  /** The line and column of a field, or of its nearest parent that was written. */
  readonly locate: (path: FieldPath) => Origin
}

export type Severity = 'error' | 'warning'

/** One finding about one field. An `error` keeps the resource out; a `warning` is shown and the resource is used. */
export interface Issue {
  readonly severity: Severity
  /** What is wrong and what to do about it. */
  readonly message: string
  readonly path: FieldPath
  readonly origin: Origin
}

/** `spec.http[0].route`. */
export function formatPath(path: FieldPath): string {
  return path.map((step, i) => (typeof step === 'number' ? `[${step}]` : i === 0 ? step : `.${step}`)).join('')
}

/** `VirtualService/default/reviews`: unique within a snapshot. */
export function resourceKey(kind: string, namespace: string, name: string): string {
  return `${kind}/${namespace}/${name}`
}
