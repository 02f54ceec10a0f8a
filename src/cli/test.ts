// `trysail test`: the users' own unit tests of their routing, without a mesh: RouteTests in YAML, answered by the proxy's own
// matchers.
import { exitCode } from './command.ts'
import type { Command, Io } from './command.ts'
import { fileOperand, fileOption } from './file-option.ts'
import { readOffline } from './offline.ts'
import { casesIn } from './test/cases.ts'
import type { Case } from './test/cases.ts'
import { CoverageCount } from './test/coverage.ts'
import type { Coverage } from './test/coverage.ts'
import { asJunit } from './test/junit.ts'
import { asJson, succeeded } from './test/report.ts'
import type { Report } from './test/report.ts'
import { runCases } from './test/run.ts'
import { asText, percentText } from './test/text.ts'
import { UsageError } from './usage-error.ts'

export const command: Command = {
  summary: 'Runs tests of routing: requests in, destinations, rewrites, retries and refusals out.',
  about: `Reads the mesh and its RouteTests from files, and runs the proxy's own matchers on them; nothing is sent. What a test can
expect is named as in the answer of 'trysail explain -o json'. Rules that no test reaches are listed.
An invalid file, a failed test, too little coverage and files without any test end with exit code 1.`,
  operands: [fileOperand],
  options: [
    fileOption,
    { name: 'filter', value: 'REGEX', sentence: "Only tests whose 'NAMESPACE/ROUTETEST: NAME' fits." },
    { name: 'output', short: 'o', value: 'FORMAT', choices: ['text', 'json', 'junit'], initial: 'text', sentence: 'How to print the results.' },
    { name: 'coverage-min', value: 'PERCENT', sentence: 'Fails when the tests reach less of the rules and matches of all VirtualServices.' },
  ],
  examples: [
    'trysail test -f samples/bookinfo/mesh -f samples/bookinfo/tests',
    "trysail test -f mesh/ -f tests/ --filter 'reviews' -o junit --coverage-min 90 > results.xml",
  ],
  async run(invocation, io) {
    const { fits, least } = wantedOf(invocation.text('filter'), invocation.text('coverage-min'))
    const { healthy, resources, ...world } = await readOffline(invocation, io)
    const cases = casesIn(resources).filter((one) => fits(one))
    const coverage = new CoverageCount(world.state.snapshot)
    const start = performance.now()
    const results = runCases(world, cases, (answer) => coverage.count(answer))
    const durationMs = performance.now() - start
    const reached = coverage.result()
    const problems = [
      ...(healthy ? [] : ['some of the files are invalid: see the errors above']),
      ...(cases.length === 0 ? ['there is no test: no RouteTest in these files fits'] : []),
      ...tooLittle(reached, least),
    ]
    return print(io, invocation.text('output'), { results, coverage: reached, durationMs, problems })
  },
}

function print(io: Io, format: string | undefined, report: Report): number {
  if (format === 'json') io.stdout(`${JSON.stringify(asJson(report), null, 2)}\n`)
  else io.stdout(format === 'junit' ? asJunit(report) : asText(report, io.color))
  return succeeded(report) ? exitCode.fine : exitCode.findings
}

interface Wanted {
  readonly fits: (one: Case) => boolean
  readonly least: number | undefined
}

function wantedOf(filter: string | undefined, coverage: string | undefined): Wanted {
  const least = coverage === undefined ? undefined : Number(coverage)
  const mistakes: string[] = []
  const pattern = filter === undefined ? undefined : patternOf(filter, mistakes)
  if (least !== undefined && !(coverage !== '' && least >= 0 && least <= 100)) mistakes.push(`--coverage-min must be a percentage from 0 to 100, not ${JSON.stringify(coverage)}`)
  if (mistakes.length > 0) throw new UsageError(mistakes)
  return { least, fits: ({ suite, name }) => pattern?.test(`${suite}: ${name}`) ?? true }
}

function patternOf(filter: string, mistakes: string[]): RegExp | undefined {
  try {
    return new RegExp(filter, 'u')
  } catch {
    mistakes.push(`--filter must be a regular expression, not ${JSON.stringify(filter)}`)
    return undefined
  }
}

function tooLittle({ percent }: Coverage, least: number | undefined): readonly string[] {
  return least === undefined || percent >= least ? [] : [`the tests reach ${percentText(percent)} of the rules and matches; at least ${least}% is asked for`]
}
