// What must be so for an expression to match, as keys that a table can be asked for: `alternatives` gives, for each
// attribute that decides, the keys of which one must be met. An index takes the most telling of them.
import type { Expression, TextKey } from './expression.ts'

export interface Key {
  /** What is read of a request: `path`, `header x-user`, `header :authority folded`. */
  readonly attribute: string
  readonly kind: TextKey['kind'] | 'range'
  readonly value: string
}

/** The keys of one way to find an expression: one of them must be met. */
export type Alternative = readonly Key[]

/** Of more keys than this a list is no shorter way than to look at the policy. */
const maxKeys = 512

/** Empty: nothing can be said, it has to be looked at each time. */
export function alternatives(expression: Expression): readonly Alternative[] {
  switch (expression.kind) {
    case 'all': return expression.of.flatMap(alternatives)
    case 'some': return ofSome(expression.of.map(alternatives))
    case 'header': return expression.missingIsEmpty ? [] : ofText(`header ${expression.name}`, expression.test.key)
    case 'path': return ofText('path', expression.test.key)
    case 'identity': return ofText('identity', expression.test?.key)
    case 'server-name': return ofText('server-name', expression.test.key)
    case 'port': return expression.end - expression.start === 1 ? [[{ attribute: 'port', kind: 'exact', value: String(expression.start) }]] : []
    case 'ip': return [[{ attribute: `ip ${expression.of}`, kind: 'range', value: rangeKey(expression.range.family, expression.range.length, expression.range.bits) }]]
    case 'metadata': return expression.test.exact === undefined ? [] : [[{ attribute: `metadata ${JSON.stringify([expression.namespace, ...expression.path])}`, kind: 'exact', value: expression.test.exact }]]
    default: return []
  }
}

/** `bits` of a range or of an address: what it has in common with all addresses of a range of that length. */
export function rangeKey(family: 4 | 6, length: number, bits: bigint): string {
  return `${family}/${length}/${bits >> BigInt((family === 4 ? 32 : 128) - length)}`
}

function ofText(attribute: string, key: TextKey | undefined): readonly Alternative[] {
  if (key === undefined || key.value === '') return []
  return [[{ attribute: key.folded ? `${attribute} folded` : attribute, kind: key.kind, value: key.value }]]
}

/** Each must have a way; together they have those by attributes that all share, or else a mixed one. */
function ofSome(parts: readonly (readonly Alternative[])[]): readonly Alternative[] {
  if (parts.length === 0) return []
  if (parts.length === 1) return parts[0]!
  if (parts.some((part) => part.length === 0)) return []
  const shared = [...new Set(parts[0]!.flatMap(attributeOf))].flatMap((attribute) => {
    const own = parts.map((part) => part.find((one) => attributeOf(one)[0] === attribute && attributeOf(one).length === 1))
    return own.every((one) => one !== undefined) ? [own.flat()] : []
  })
  const found = shared.length > 0 ? shared : [parts.flatMap((part) => part[0]!)]
  return found.filter((one) => one.length <= maxKeys)
}

const attributeOf = (alternative: Alternative): readonly string[] => [...new Set(alternative.map(({ attribute }) => attribute))]
