// All that a run of tests found, and the shape in which `-o json` prints it.
import type { Coverage } from './coverage.ts'
import { passed } from './run.ts'
import type { Result } from './run.ts'

export interface Report {
  readonly results: readonly Result[]
  readonly coverage: Coverage
  /** Of all tests, without reading the files. */
  readonly durationMs: number
  /** What is wrong beside single tests, a sentence each. */
  readonly problems: readonly string[]
}

export const succeeded = ({ results, problems }: Report): boolean => problems.length === 0 && results.every(passed)

export function asJson({ results, coverage, durationMs, problems }: Report) {
  const failed = results.filter((one) => !passed(one)).length
  return {
    passed: problems.length === 0 && failed === 0,
    totals: { tests: results.length, passed: results.length - failed, failed, durationMs: Math.round(durationMs) },
    tests: results.map(testJson),
    coverage: { ...coverage, percent: Math.floor(coverage.percent * 100) / 100 },
    problems,
  }
}

function testJson(result: Result) {
  const { test: { suite, name, origin: { file, line }, from }, failures, error, answer } = result
  const observed = answer === undefined ? {} : {
    request: answer.request, matchedVirtualService: answer.matchedVirtualService, routeIndex: answer.routeIndex, matchIndex: answer.matchIndex, origin: answer.origin,
  }
  return {
    suite, name, file, line, from, passed: passed(result), ...observed,
    ...(error === undefined ? {} : { error }),
    failures: failures.map(({ field, expected, observed: found, origin }) => ({ field, expected, observed: found, file: origin.file, line: origin.line })),
    ...(failures.length === 0 || answer === undefined ? {} : { considered: answer.considered }),
  }
}
