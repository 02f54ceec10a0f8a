// One file's text, and the objects in it. Never throws for what the file holds or refuses.
import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { parseDocuments } from '../../kinds/parse.ts'
import type { ParsedObject } from '../../kinds/parse.ts'
import { kinds } from '../../kinds/table.ts'
import type { Issue, Resource } from '../../model/resource.ts'
import { resourceKey } from '../../model/resource.ts'
import { signatureOf } from './find.ts'
import { inWords } from './limits.ts'
import type { FileOptions } from './limits.ts'
import { fileIssue, isGone, reasonOf } from './problem.ts'

/** What stands in a file. */
export interface Content {
  readonly objects: readonly ParsedObject[]
  /** Of the file and of documents that could not be read. */
  readonly issues: readonly Issue[]
  /** Whether every document was read, so that what is not among the objects is truly not there. */
  readonly whole: boolean
}

export interface FileText {
  readonly text: string
  readonly hash: string
  /** Empty while the file is so fresh that another write might not show in it. */
  readonly signature: string
}

/** The file is not there any more. */
export const gone = Symbol('gone')

export const nothing: Content = { objects: [], issues: [], whole: true }

/** A write so soon after another can leave the file with the same times: file systems count in steps of some milliseconds. */
const freshMs = 50
/** Reads again when somebody writes meanwhile, but not for ever. */
const maxReads = 3

export async function readText(path: string, maxBytes: number): Promise<FileText | Content | typeof gone> {
  try {
    const handle = await open(path, 'r')
    try {
      return await readStable(handle, path, maxBytes)
    } finally {
      await handle.close()
    }
  } catch (error) {
    return isGone(error) ? gone : refused(path, `cannot be read: ${reasonOf(error)}`)
  }
}

async function readStable(handle: FileHandle, path: string, maxBytes: number): Promise<FileText | Content> {
  for (let round = 1; ; round++) {
    const before = await handle.stat({ bigint: true })
    if (before.isDirectory()) return refused(path, 'cannot be read: it is a folder')
    const bytes = before.size > maxBytes ? undefined : await readBytes(handle, before.isFile(), maxBytes)
    if (bytes === undefined) return refused(path, `is larger than ${inWords(maxBytes)}: it is not read; split it, or raise the limit`)
    const after = await handle.stat({ bigint: true })
    if (signatureOf(before) !== signatureOf(after) && round < maxReads) continue
    const fresh = before.isFile() && Date.now() - Number(after.mtimeMs) < freshMs
    return decode(path, bytes, fresh ? '' : signatureOf(after))
  }
}

/** Pipes too, which have no size and cannot be read twice. Undefined when there is more than allowed. */
async function readBytes(handle: FileHandle, regular: boolean, maxBytes: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = []
  let total = 0
  for (;;) {
    const { buffer, bytesRead } = await handle.read({ buffer: Buffer.allocUnsafe(64 * 1024), ...(regular && { position: total }) })
    if (bytesRead === 0) return Buffer.concat(chunks, total)
    total += bytesRead
    if (total > maxBytes) return undefined
    chunks.push(buffer.subarray(0, bytesRead))
  }
}

function decode(path: string, bytes: Buffer, signature: string): FileText | Content {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    return { text, signature, hash: createHash('sha1').update(bytes).digest('base64') }
  } catch {
    return refused(path, 'is not UTF-8 text: save it as UTF-8')
  }
}

const refused = (path: string, message: string): Content => ({ objects: [], issues: [fileIssue(path, message)], whole: false })

export function parseText(text: string, file: string, { namespace }: Pick<FileOptions, 'namespace'>): Content {
  const { objects, issues } = parseDocuments(text, file)
  const ofObjects = new Set(objects.flatMap((one) => one.issues))
  const ofFile = issues.filter((one) => !ofObjects.has(one))
  const named = objects.map((one) => inNamespace(one, namespace))
  return { objects: named, issues: ofFile, whole: ofFile.every((one) => one.severity === 'warning') && named.every(isNamed) }
}

const isNamed = (one: ParsedObject): boolean => one.resource !== undefined || one.handling === 'inert' || (one.kind !== '' && one.name !== '')

const clusterWide: ReadonlySet<string> = new Set(kinds.filter((one) => one.scope === 'Cluster').map((one) => one.kind))

function inNamespace(one: ParsedObject, namespace: string): ParsedObject {
  if (one.namespace !== '' || clusterWide.has(one.kind)) return one
  return { ...one, namespace, resource: one.resource && moved(one.resource, namespace) }
}

function moved(resource: Resource, namespace: string): Resource {
  if (resource.metadata.namespace === namespace || resource.metadata.namespace === '') return resource
  return Object.freeze({ ...resource, metadata: Object.freeze({ ...resource.metadata, namespace }) })
}

/** Empty for an object that does not say what it is. */
export function keyOf(one: ParsedObject): string {
  const namespace = clusterWide.has(one.kind) ? '' : one.namespace
  return one.kind === '' || one.name === '' ? '' : resourceKey(one.kind, namespace, one.name)
}

/** Gives way to others between files: parsing a thousand of them takes longer than traffic should wait. */
export function turns(longestMs = 8): () => Promise<void> {
  let since = performance.now()
  return async () => {
    if (performance.now() - since < longestMs) return
    await new Promise(setImmediate)
    since = performance.now()
  }
}
