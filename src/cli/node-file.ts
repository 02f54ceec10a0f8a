// Reads NODE.json: how a proxy would introduce itself. What is wrong with it is wrong usage.
import { readFileSync } from 'node:fs'
import { describe } from '../lib/errors.ts'
import { readProxyNode } from '../control/translate/proxy-node.ts'
import type { NodeLike } from '../control/translate/proxy-node.ts'
import { reasonOf } from '../sources/files/problem.ts'
import { isRecord } from './json.ts'
import { UsageError } from './usage-error.ts'

/** Throws `UsageError` that names the file. */
export function readNodeFile(path: string): NodeLike {
  const node = checked(path, parsed(path))
  try {
    readProxyNode(node)
    return node
  } catch (error) {
    throw wrong(path, describe(error))
  }
}

function parsed(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as unknown
  } catch (error) {
    throw wrong(path, error instanceof SyntaxError ? `is not JSON: ${error.message}` : `cannot be read: ${reasonOf(error)}`)
  }
}

function checked(path: string, value: unknown): NodeLike {
  if (!isRecord(value)) throw wrong(path, 'must hold an object such as {"id": "sidecar~10.0.0.1~reviews-v1.default~default.svc.cluster.local"}')
  const mistakes: string[] = []
  if (typeof value['id'] !== 'string') mistakes.push('id must be a text')
  for (const field of ['metadata', 'locality']) if (value[field] !== undefined && !isRecord(value[field])) mistakes.push(`${field} must be an object`)
  const metadata = isRecord(value['metadata']) ? value['metadata'] : {}
  for (const field of ['NAMESPACE', 'SERVICE_ACCOUNT', 'NAME']) {
    if (metadata[field] !== undefined && typeof metadata[field] !== 'string') mistakes.push(`metadata.${field} must be a text`)
  }
  const labels = metadata['LABELS'] ?? {}
  if (!isRecord(labels) || Object.values(labels).some((one) => typeof one !== 'string')) mistakes.push('metadata.LABELS must be an object of texts')
  if (mistakes.length > 0) throw new UsageError(mistakes.map((mistake) => `--node ${path}: ${mistake}`))
  return value as unknown as NodeLike // checked field by field above
}

const wrong = (path: string, what: string): UsageError => new UsageError([`--node ${path}: ${what}`])
