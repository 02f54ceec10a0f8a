// The findings of `trysail validate` for people: a line each, as compilers write them, and a summary.
import { formatPath } from '../model/resource.ts'
import type { Issue } from '../model/resource.ts'
import { isValid } from './validate-results.ts'
import type { Result } from './validate-results.ts'

const escape = '\u001b['
const paint = (codes: string) => (text: string, color: boolean): string => (color ? `${escape}${codes}m${text}${escape}0m` : text)
const red = paint('1;31')
const yellow = paint('1;33')
const green = paint('32')
const bold = paint('1')

export function asText(results: readonly Result[], color: boolean): string {
  const lines = results.flatMap((one) => one.issues.map((issue) => issueLine(one, issue, color)))
  return [...lines, summary(results, color)].map((line) => `${line}\n`).join('')
}

/** `reviews.yaml:12:5: error: VirtualService default/reviews: spec.http[0].timout: unknown field "timout"`. */
function issueLine({ kind, namespace, name }: Result, { origin, severity, path, message }: Issue, color: boolean): string {
  const object = kind === '' ? '' : `${kind} ${namespace === '' ? '' : `${namespace}/`}${name}`.trim()
  const about = [object, formatPath(path)].filter((part) => part !== '').map((part) => `${part}: `).join('')
  const word = severity === 'error' ? red('error', color) : yellow('warning', color)
  return `${bold(`${origin.file}:${origin.line}:${origin.column}:`, color)} ${word}: ${about}${message}`
}

function summary(results: readonly Result[], color: boolean): string {
  if (results.length === 0) return yellow('nothing to validate: the files hold no resource', color)
  const files = new Set(results.map(({ file }) => file)).size
  const invalid = results.filter((one) => !isValid(one)).length
  const warnings = results.flatMap(({ issues }) => issues).filter(({ severity }) => severity === 'warning').length
  const what = `${counted(results.length, 'resource')} in ${counted(files, 'file')}`
  const found = [invalid === 0 ? 'all valid' : `${invalid} invalid`, ...(warnings === 0 ? [] : [counted(warnings, 'warning')])].join(', ')
  return `${what}: ${invalid === 0 ? green(found, color) : red(found, color)}`
}

const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`
