// What is said about files, object by object: the shape that `trysail validate` prints.
import { referenceIssues } from '../control/analyze/references.ts'
import type { ParsedObject } from '../kinds/parse.ts'
import { formatPath, resourceKey } from '../model/resource.ts'
import type { Issue } from '../model/resource.ts'
import { WorldMerger } from '../sources/merge.ts'
import type { SourceState } from '../sources/source.ts'

export interface Result {
  readonly file: string
  /** Empty, as the names are, for a document that could not be read. */
  readonly kind: string
  readonly namespace: string
  readonly name: string
  /** Where it begins. */
  readonly line: number
  readonly issues: readonly Issue[]
}

const domain = 'cluster.local'

/** In the order of the files, and of the lines in each. Also what only all files together show. */
export function resultsOf(files: SourceState): readonly Result[] {
  const { resources, services, meshConfig, issues } = new WorldMerger({ domain }).merge([files])
  const more = [...issues, ...referenceIssues({ resources, services, domain, rootNamespace: meshConfig?.rootNamespace ?? 'istio-system' })]
  const reported = new Set(files.objects.flatMap((one) => one.issues.map(issueKey)))
  const ofObjects = Map.groupBy(more.filter((one) => !reported.has(issueKey(one))), (one) => one.resource)
  const results = files.objects.map((one) => resultOf(one, ofObjects))
  const rest = [...ofObjects.values()].flat() // of documents that could not be read, of files
  const unread = rest.map((one): Result => ({ file: one.origin.file, kind: '', namespace: '', name: '', line: one.origin.line, issues: [one] }))
  return inOrder([...results, ...unread])
}

/** The first object of a name gets what was found about it later. */
function resultOf({ file, line, kind, namespace, name, issues }: ParsedObject, ofObjects: Map<string, readonly Issue[]>): Result {
  const key = [resourceKey(kind, namespace, name), resourceKey(kind, '', name)].find((one) => kind !== '' && name !== '' && ofObjects.has(one))
  const more = key === undefined ? [] : ofObjects.get(key)!
  if (key !== undefined) ofObjects.delete(key)
  return { file, kind, namespace, name, line, issues: [...issues, ...more] }
}

function inOrder(results: readonly Result[]): readonly Result[] {
  const byFile = Map.groupBy(results, ({ file }) => file)
  return [...byFile.values()].flatMap((ofFile) => ofFile.toSorted((one, other) => one.line - other.line))
}

const issueKey = ({ origin, message, path }: Issue): string => JSON.stringify([origin.file, origin.line, origin.column, path, message])

export const isValid = ({ issues }: Result): boolean => issues.every(({ severity }) => severity !== 'error')

/** As JSON shows it. */
export function asJson(results: readonly Result[]) {
  const shown = (issues: readonly Issue[]) => issues.map(({ message, path, origin }) => ({ message, path: formatPath(path), line: origin.line }))
  return {
    results: results.map((one) => {
      const [errors, warnings] = [one.issues.filter(({ severity }) => severity === 'error'), one.issues.filter(({ severity }) => severity === 'warning')]
      return { file: one.file, kind: one.kind, name: one.name, namespace: one.namespace, valid: errors.length === 0, errors: shown(errors), warnings: shown(warnings) }
    }),
  }
}
