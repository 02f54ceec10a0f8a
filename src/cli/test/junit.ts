// The results as JUnit XML, the form that CI systems read: a suite for each RouteTest, a case for each request.
import type { Report } from './report.ts'
import type { Result } from './run.ts'
import { shown } from './shown.ts'
import { failureLines } from './text.ts'

export function asJunit({ results, problems, durationMs }: Report): string {
  const suites = [...Map.groupBy(results, ({ test }) => test.suite)]
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites${attributes({ name: 'trysail test', ...counts(results, problems.length), time: seconds(durationMs) })}>`,
    ...suites.flatMap(([name, inSuite]) => suiteLines(name, inSuite)),
    ...(problems.length === 0 ? [] : problemLines(problems)),
    '</testsuites>',
    '',
  ].join('\n')
}

function suiteLines(name: string, results: readonly Result[]): readonly string[] {
  const time = seconds(results.reduce((sum, one) => sum + one.durationMs, 0))
  return [`  <testsuite${attributes({ name, ...counts(results, 0), time })}>`, ...results.flatMap((one) => caseLines(one)), '  </testsuite>']
}

/** What no single test can be blamed for fails all the same. */
function problemLines(problems: readonly string[]): readonly string[] {
  const count = String(problems.length)
  return [
    `  <testsuite${attributes({ name: 'trysail test', tests: count, failures: '0', errors: count, time: '0' })}>`,
    ...problems.flatMap((problem) => [
      `    <testcase${attributes({ name: problem, classname: 'trysail test' })}>`, `      <error${attributes({ message: problem })}/>`, '    </testcase>',
    ]),
    '  </testsuite>',
  ]
}

function caseLines(result: Result): readonly string[] {
  const { test: { suite, name, origin }, failures, error, durationMs } = result
  const open = attributes({ name, classname: suite, file: origin.file, line: String(origin.line), time: seconds(durationMs) })
  if (error === undefined && failures.length === 0) return [`    <testcase${open}/>`]
  const element = error === undefined ? 'failure' : 'error'
  return [
    `    <testcase${open}>`,
    `      <${element}${attributes({ message: error ?? failures.map(inOneLine).join('; '), type: element })}>${failureLines(result).map(escaped).join('\n')}</${element}>`,
    '    </testcase>',
  ]
}

const inOneLine = ({ field, expected, observed }: Result['failures'][number]): string =>
  `${field}: expected ${shown(field, expected)}, observed ${shown(field, observed)}`

function counts(results: readonly Result[], more: number): Readonly<Record<string, string>> {
  const errors = results.filter(({ error }) => error !== undefined).length
  const failures = results.filter(({ error, failures: found }) => error === undefined && found.length > 0).length
  return { tests: String(results.length + more), failures: String(failures), errors: String(errors + more) }
}

const seconds = (ms: number): string => (ms / 1000).toFixed(6)

const attributes = (all: Readonly<Record<string, string>>): string =>
  Object.entries(all).map(([name, value]) => ` ${name}="${escaped(value)}"`).join('')

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&apos;', '\n': '&#10;', '\t': '&#9;', '\r': '&#13;' }

/** Characters that XML 1.0 cannot hold at all are replaced by one that says so. */
function escaped(text: string): string {
  return text.toWellFormed().replace(/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, '\uFFFD').replace(/[&<>"'\n\t\r]/g, (one) => entities[one]!)
}
