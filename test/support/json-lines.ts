// Files of JSON by the line that somebody may be writing to.
import { readFileSync } from 'node:fs'

/** All lines that are whole: the last one may be on its way. */
export function jsonLines<Line>(path: string): Line[] {
  const text = readFileSync(path, 'utf8')
  return text.slice(0, text.lastIndexOf('\n') + 1).split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Line]))
}
