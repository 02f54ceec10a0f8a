// What `trysail test` prints for people: each failure with what was expected beside what was observed and why, rules that
// no test reached, and the totals.
import { ruleName } from './coverage.ts'
import type { Coverage } from './coverage.ts'
import type { Report } from './report.ts'
import { passed } from './run.ts'
import type { Result } from './run.ts'
import { matchedText, requestText, shown } from './shown.ts'

/** Lists longer than this are for programs. */
const maxListed = 50

export function asText(report: Report, color: boolean): string {
  const paint = (codes: string, text: string): string => (color ? `\u001b[${codes}m${text}\u001b[0m` : text)
  const failed = report.results.filter((one) => !passed(one))
  return [
    ...failed.flatMap((one) => [`${paint('1;31', 'FAIL')} ${titleOf(one)}`, ...failureLines(one), '']),
    ...coverageLines(report.coverage),
    `${paint(failed.length === 0 ? '32' : '1;31', totals(report))}`,
    '',
  ].join('\n')
}

const titleOf = ({ test: { suite, name, origin } }: Result): string => `${suite}: ${name} (${origin.file}:${origin.line})`

/** Also the text of a failure in JUnit. */
export function failureLines({ failures, error, answer }: Result): readonly string[] {
  if (error !== undefined || answer === undefined) return [`  ${error ?? 'nothing could be observed'}`]
  return [
    `  ${requestText(answer)}`,
    ...failures.flatMap(({ field, expected, observed, origin }) => [
      `  ${field} (${origin.file}:${origin.line})`,
      `    ${field.startsWith('not.') ? 'not wanted' : 'expected'.padEnd(10)}  ${shown(field, expected)}`,
      `    ${'observed'.padEnd(10)}  ${shown(field, observed)}`,
    ]),
    ...(answer.denied === false || answer.denied === null ? [] : [`  denied by ${answer.denied.policy}: ${answer.denied.reason}`]),
    `  matched ${matchedText(answer)}`,
    ...(answer.considered.length === 0 ? [] : ['  not taken:', ...answer.considered.slice(0, maxListed).map(({ route, whyNot }) => `    ${route}\n      ${whyNot}`)]),
  ]
}

function coverageLines({ rules, reached, total, percent }: Coverage): readonly string[] {
  if (total === 0) return []
  const missed = rules.filter(({ hits }) => hits === 0)
  const more = missed.length - maxListed
  return [
    ...missed.slice(0, maxListed).map((one) => `${ruleName(one)} is never reached${one.unreachable === null ? '' : ` by any request: ${one.unreachable}`}`),
    ...(more > 0 ? [`and ${more} more; -o json lists all`] : []),
    `Coverage: ${reached} of ${total} rules and matches (${percentText(percent)})`,
  ]
}

/** Never 100% where something is missing. */
export const percentText = (percent: number): string => `${Math.floor(percent * 10) / 10}%`

function totals({ results, durationMs, problems }: Report): string {
  const failed = results.filter((one) => !passed(one)).length
  const tests = `${results.length} test${results.length === 1 ? '' : 's'}`
  const found = failed === 0 ? (results.length === 1 ? 'passed' : 'all passed') : `${failed} failed, ${results.length - failed} passed`
  return [`${tests}: ${found} in ${Math.round(durationMs)} ms`, ...problems].join('\n')
}
