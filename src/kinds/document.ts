// YAML and JSON text as documents that know on which line each of their fields stands. Broken documents are reported;
// the others of the same text survive.
import { LineCounter, isAlias, isMap, isPair, isScalar, isSeq, parseAllDocuments, visit } from 'yaml'
import type { Alias, Document, Node, Pair } from 'yaml'
import type { FieldPath, Issue, Origin } from '../model/resource.ts'

/** An object of a text: a document, or an item of a `List`. */
export interface SourceObject {
  readonly value: unknown
  readonly locate: (path: FieldPath) => Origin
}

export interface SourceText {
  readonly objects: readonly SourceObject[]
  /** Of documents that could not be read at all. */
  readonly issues: readonly Issue[]
}

/** Aliases may repeat what an anchor holds this many times: enough for people, far from what fills the memory. */
const maxAliases = 100

export function readDocuments(text: string, file: string): SourceText {
  const lines = new LineCounter()
  const originAt = (offset: number | undefined): Origin => {
    const { line, col } = lines.linePos(offset ?? 0)
    return { file, line: Math.max(line, 1), column: Math.max(col, 1) }
  }
  const issues: Issue[] = []
  const broken = (message: string, offset: number | undefined): void => {
    issues.push({ severity: 'error', message, path: [], origin: originAt(offset) })
  }
  const objects: SourceObject[] = []
  try {
    // Its own check for unique keys compares every key with every other; ours below is linear.
    for (const document of parsed(text, lines)) read(document, originAt, broken, objects)
  } catch (cause) {
    broken(`cannot be read: ${messageOf(cause)}`, 0)
  }
  return { objects, issues }
}

function parsed(text: string, lineCounter: LineCounter): readonly Document.Parsed[] {
  const options = { lineCounter, prettyErrors: false, uniqueKeys: false, merge: true, logLevel: 'silent' } as const
  const documents = parseAllDocuments(text, options)
  return Array.isArray(documents) ? documents : []
}

type Broken = (message: string, offset: number | undefined) => void

function read(document: Document.Parsed, originAt: (offset?: number) => Origin, broken: Broken, into: SourceObject[]): void {
  const [error] = document.errors
  if (error !== undefined) return broken(inWords(error.message), error.pos[0])
  const dangling = firstDangling(document)
  if (dangling !== undefined) return broken(`*${dangling.source} stands for nothing: no &${dangling.source} comes before it`, dangling.range?.[0])
  const twice = firstDuplicate(document)
  if (twice !== undefined) return broken(`the field ${JSON.stringify(twice.name)} is there twice`, twice.offset)
  const root = document.contents as Node | null
  const offset = root?.range?.[0]
  try {
    const value = document.toJS({ maxAliasCount: maxAliases }) as unknown
    if (value === null || value === undefined) return
    const object = { value, locate: (path: FieldPath) => originAt(offsetOf(document, root, path)) }
    into.push(...(isList(value) ? listItems(object, value) : [object]))
  } catch (cause) {
    broken(`cannot be read: ${messageOf(cause)}`, offset)
  }
}

interface List {
  readonly apiVersion?: unknown
  readonly kind: string
  readonly items: readonly unknown[]
}

function isList(value: unknown): value is List {
  const list = value as List
  return typeof value === 'object' && value !== null && typeof list.kind === 'string' && list.kind.endsWith('List') && Array.isArray(list.items)
}

/** Items of typed lists (`PodList`) leave out what the list says for all of them. */
function listItems(list: SourceObject, { apiVersion, kind, items }: List): SourceObject[] {
  const ofItems = kind === 'List' ? {} : { apiVersion, kind: kind.slice(0, -'List'.length) }
  return items.map((item, index) => ({
    value: typeof item === 'object' && item !== null && !Array.isArray(item) ? { ...ofItems, ...item } : item,
    locate: (path) => list.locate(['items', index, ...path]),
  }))
}

/** Of the field, or of its nearest parent that was written. */
function offsetOf(document: Document.Parsed, root: Node | null, path: FieldPath): number | undefined {
  let node: unknown = root
  let offset = root?.range?.[0]
  for (const step of path) {
    if (isAlias(node)) node = node.resolve(document)
    if (isMap(node)) {
      const pair: Pair | undefined = node.items.find((one) => isScalar(one.key) && String(one.key.value) === String(step))
      if (pair === undefined) break
      offset = (pair.key as Node).range?.[0] ?? offset
      node = pair.value
    } else if (isSeq(node) && typeof step === 'number') {
      node = node.items[step]
      offset = (node as Node | undefined)?.range?.[0] ?? offset
    } else {
      break
    }
  }
  return offset
}

/** An alias of an anchor that is not there. */
function firstDangling(document: Document.Parsed): Alias | undefined {
  const anchors = new Set<string>()
  let found: Alias | undefined
  visit(document, {
    Node(_, node) {
      if (isAlias(node)) {
        if (anchors.has(node.source)) return undefined
        found = node
        return visit.BREAK
      }
      if (node.anchor !== undefined) anchors.add(node.anchor)
      return undefined
    },
  })
  return found
}

function firstDuplicate(document: Document.Parsed): { name: string; offset: number | undefined } | undefined {
  let found: { name: string; offset: number | undefined } | undefined
  visit(document, {
    Map(_, map) {
      const seen = new Set<unknown>()
      for (const pair of map.items) {
        if (!isPair(pair) || !isScalar(pair.key)) continue
        const { key } = pair
        if (seen.has(key.value) && key.value !== '<<') {
          found = { name: String(key.value), offset: key.range?.[0] }
          return visit.BREAK
        }
        seen.add(key.value)
      }
      return undefined
    },
  })
  return found
}

const messageOf = (cause: unknown): string => inWords(cause instanceof Error ? cause.message : String(cause))

/** The parser speaks of its own stack and of attacks. */
function inWords(message: string): string {
  if (/call stack/i.test(message)) return 'is nested too deep'
  if (/alias count/i.test(message)) return 'its aliases stand for far more than was written'
  return message.split('\n', 1)[0]!
}
