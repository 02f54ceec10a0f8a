// Files as one state of a source: of two objects with one name the first stands, and what an earlier version stands in for
// is put in its place.
import type { ParsedObject } from '../../kinds/parse.ts'
import type { Resource } from '../../model/resource.ts'
import { resourceKey } from '../../model/resource.ts'
import { thereTwice } from '../merge.ts'
import type { SourceIssue, SourceState } from '../source.ts'
import { keyOf } from './load.ts'
import type { Content } from './load.ts'

export interface FileView {
  readonly content: Content
  /** Earlier versions of what is broken in the file now. */
  readonly held: readonly Resource[]
  /** The file has vanished or lost objects a moment ago: what others have in the meantime goes before. */
  readonly leaving: boolean
}

export function assemble(files: readonly FileView[], ofFolders: readonly SourceIssue[] = []): SourceState {
  const state = { resources: [] as Resource[], objects: [] as ParsedObject[], issues: [...ofFolders], held: new Set<string>() }
  const first = new Map<string, Resource>()
  for (const { content, leaving } of files) if (!leaving) for (const one of content.objects) claim(first, one.resource)
  for (const { content, held, leaving } of files) {
    state.issues.push(...content.issues.map((issue) => ({ ...issue, resource: '' })))
    for (const one of content.objects) {
      if (leaving && !claim(first, one.resource)) continue
      const shown = one.resource === undefined ? one : only(one, one.resource, first)
      state.objects.push(shown)
      if (shown.resource !== undefined) state.resources.push(shown.resource)
      const resource = keyOf(shown)
      for (const issue of shown.issues) state.issues.push({ ...issue, resource })
    }
    for (const one of held) {
      if (!claim(first, one)) continue
      state.resources.push(one)
      if (!leaving) state.held.add(resourceKeyOf(one))
    }
  }
  return Object.freeze(state)
}

export const resourceKeyOf = ({ kind, metadata }: Resource): string => resourceKey(kind, metadata.namespace, metadata.name)

/** Whether the resource is the first of its key. */
function claim(first: Map<string, Resource>, one: Resource | undefined): boolean {
  if (one === undefined) return true
  const key = resourceKeyOf(one)
  if (first.has(key)) return first.get(key) === one
  first.set(key, one)
  return true
}

function only(one: ParsedObject, resource: Resource, first: ReadonlyMap<string, Resource>): ParsedObject {
  const standing = first.get(resourceKeyOf(resource))!
  if (standing === resource) return one
  return { ...one, resource: undefined, issues: [...one.issues, thereTwice(resource, standing.origin)] }
}
