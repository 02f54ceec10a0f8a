// What a step of the tour is, and what it can do.
import type { Client, Reply } from './client.ts'
import type { MeshFolder } from './folder.ts'
import type { Observation } from './observation.ts'

export interface TourProcess {
  readonly name: string
  readonly pid: number | undefined
  readonly state: string
  /** Where its sidecar takes what is sent to it. */
  readonly inbound: string | undefined
}

export interface Tour {
  readonly client: Client
  readonly folder: MeshFolder
  /** Makes an edit and waits until every proxy has said that it is in effect. */
  edit(change: () => unknown): Promise<void>
  did(text: string): void
  /** One request from outside of the mesh, in plaintext, on a connection of its own, to where a process is reached by its peers. */
  knock(url: string): Promise<Reply>
  processes(): readonly TourProcess[]
  /** Waits until `condition` holds; false when it does not within the limit. */
  until(condition: () => boolean | Promise<boolean>, limitMs?: number): Promise<boolean>
  /** Response flags that a proxy logged for requests after `from`, with the request's path. */
  accessLog(): readonly string[]
}

export interface Step {
  readonly title: string
  run(tour: Tour): Promise<readonly Observation[]>
}

export const reviewsPath = '/api/v1/products/0/reviews'
export const ratingsPath = '/api/v1/products/0/ratings'

export const countOf = (replies: readonly Reply[], fits: (reply: Reply) => boolean): number => replies.filter(fits).length
