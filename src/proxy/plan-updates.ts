// What the xDS client brings to a plan, and what the plan says about it.

/** The resources of one type that changed and went since the last update. */
export interface ResourceUpdate<Message> {
  readonly changed: readonly Message[]
  readonly removed: readonly string[]
}

/** One resource that was not taken over, and why. The others of its update were. */
export interface Rejection {
  readonly name: string
  readonly reason: string
}

/** Names for the subscriptions of types that are asked for by name. */
export interface WantedNames {
  readonly endpoints: readonly string[]
  readonly routes: readonly string[]
  readonly secrets: readonly string[]
}

/** The text of a NACK; undefined when nothing was rejected. */
export function nackText(rejections: readonly Rejection[]): string | undefined {
  if (rejections.length === 0) return undefined
  return rejections.map(({ name, reason }) => (reason.includes(name) ? reason : `${name}: ${reason}`)).join('; ')
}
