// What a kind is: a schema for the shape, rules for what spans several fields, and the list of what is valid but not
// served yet. One engine (check.ts) runs all kinds; nothing here knows a particular one.
import type { z } from 'zod'
import type { FieldPath, ObjectMeta, Severity } from '../model/resource.ts'

/** A parsed value as everybody else sees it: frozen all the way down. */
export type Frozen<T> = T extends (infer Item)[]
  ? readonly Frozen<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: Frozen<T[Key]> }
    : T

/** One finding of a rule: where, relative to the value that the rule was given, and what is wrong. */
export type Finding = readonly [path: FieldPath, message: string]

/** A check that spans several fields. It runs only on values whose shape is right. */
export interface Rule<Value> {
  readonly severity: Severity
  readonly check: (value: Frozen<Value>, metadata: ObjectMeta) => Iterable<Finding>
}

/** A field, or some of its values, that is valid but not served yet. To serve it, delete its row. */
export interface NotServed {
  /** `http[].mirrors`; `{}` steps into every key of a map. */
  readonly path: string
  /** Only these values are not served; undefined means any. */
  readonly values?: readonly (string | number | boolean)[]
  /** All but these values. */
  readonly except?: readonly (string | number | boolean)[]
  /** Only texts that fit are not served; `called` is how the documentation names them. */
  readonly texts?: { readonly fit: RegExp; readonly called: string }
  /** Only keys of a map (`headers{}`) that fit; `called` is how messages name them. */
  readonly keys?: { readonly fit: RegExp; readonly called: string }
  /** Why it is documented only: without a warning, since it asks nothing of this mesh. */
  readonly quiet?: string
  /** What happens instead; undefined: as if it had not been written. */
  readonly instead?: string
}

/** A field that Istio has and nobody serves: refused, or accepted and ignored. */
export interface NeverServed {
  /** As of NotServed. */
  readonly path: string
  readonly keys?: NotServed['keys']
  readonly severity: Severity
  readonly message: string
}

export interface Kind<Spec = unknown> {
  readonly kind: string
  readonly group: string
  readonly versions: readonly string[]
  readonly scope: 'Namespaced' | 'Cluster'
  /** Which part of the object the schema describes: its `spec`, or everything beside apiVersion and kind. */
  readonly body: 'spec' | 'object'
  /** Objects are named by a DNS label, without dots. */
  readonly namedByLabel?: boolean
  readonly schema: z.ZodType<Spec>
  readonly rules: readonly Rule<Spec>[]
  readonly notServed: readonly NotServed[]
  readonly neverServed?: readonly NeverServed[]
}

export const error = <Value>(check: Rule<Value>['check']): Rule<Value> => ({ severity: 'error', check })
export const warning = <Value>(check: Rule<Value>['check']): Rule<Value> => ({ severity: 'warning', check })

/** Runs the rules of a part on that part, when it is there: `within((spec) => spec.tls, ['tls'], tlsRules)`. */
export function within<Value, Part>(
  pick: (value: Frozen<Value>) => Frozen<Part> | undefined,
  at: FieldPath,
  rules: readonly Rule<Part>[],
): Rule<Value>[] {
  return rules.map((rule) => ({
    severity: rule.severity,
    *check(value, metadata) {
      const part = pick(value)
      if (part === undefined) return
      for (const [path, message] of rule.check(part, metadata)) yield [[...at, ...path], message]
    },
  }))
}

/** Runs the rules of an item on every item of a list. */
export function each<Value, Item>(
  pick: (value: Frozen<Value>) => readonly Frozen<Item>[] | undefined,
  at: FieldPath,
  rules: readonly Rule<Item>[],
): Rule<Value>[] {
  return rules.map((rule) => ({
    severity: rule.severity,
    *check(value, metadata) {
      for (const [index, item] of (pick(value) ?? []).entries()) {
        for (const [path, message] of rule.check(item, metadata)) yield [[...at, index, ...path], message]
      }
    },
  }))
}
