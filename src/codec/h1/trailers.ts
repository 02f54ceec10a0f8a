// Reads a trailer section (RFC 9110 §6.5).
import { HeaderList } from '../header-list.ts'
import { H1Error } from './errors.ts'
import type { HeadScanner } from './head-scanner.ts'
import { nameId, nameOf } from './known-names.ts'

/** Fields that frame, route or guard a message may not come after it: a next hop might believe them. */
const forbidden: ReadonlySet<string> = new Set(['authorization', 'content-encoding', 'content-range', 'content-type', 'te', 'trailer'])

export function readTrailers(scanner: HeadScanner): HeaderList {
  const text = scanner.source.toString('latin1', scanner.base, scanner.base + scanner.length)
  const { fields, fieldCount } = scanner
  const list = new HeaderList()
  for (let n = 0; n < fieldCount; n++) {
    const at = 5 * n
    const id = fields[at]!
    const name = id >= 0 ? nameOf(id) : text.slice(fields[at + 1]!, fields[at + 2]!).toLowerCase()
    if ((id >= 0 && id < nameId.firstOrdinary) || forbidden.has(name)) {
      throw new H1Error('h1/bad-header-name', `the field ${name} may not be a trailer`)
    }
    list.add(name, text.slice(fields[at + 3]!, fields[at + 4]!))
  }
  return list
}
