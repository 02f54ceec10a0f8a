// How a test run reads: one line per file, every failure in full, every skipped test with its reason, and a last line
// with the totals.
import { relative } from 'node:path'
import { inspect } from 'node:util'
import type { TestEvent } from 'node:test/reporters'

/** A chain of causes may be a ring. */
const maxCauses = 5

interface FileTotals {
  passed: number
  failed: number
  skipped: number
  ms: number
}

export default async function* report(events: Iterable<TestEvent> | AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const files = new Map<string, FileTotals>()
  const skipped: string[] = []
  const failures: string[] = []
  const totals: FileTotals = { passed: 0, failed: 0, skipped: 0, ms: 0 }
  for await (const event of events) {
    if (event.type === 'test:stderr' || event.type === 'test:stdout') {
      yield event.data.message
      continue
    }
    if (event.type !== 'test:pass' && event.type !== 'test:fail') continue
    const { data } = event
    if (data.details.type === 'suite') continue
    const file = data.file === undefined ? '-' : relative(process.cwd(), data.file)
    const isFile = data.nesting === 0 && data.name === file
    const ofFile = files.get(file) ?? { passed: 0, failed: 0, skipped: 0, ms: 0 }
    files.set(file, ofFile)
    if (event.type === 'test:fail') {
      const error = 'error' in data.details ? data.details.error : undefined
      if (!(isFile && ofFile.failed > 0)) count(ofFile, totals, 'failed')
      failures.push(`✖ ${file} > ${data.name}\n${indent(cause(error))}`)
    } else if (data.skip !== undefined && data.skip !== false) {
      count(ofFile, totals, 'skipped')
      skipped.push(`  ${file} > ${data.name}: ${typeof data.skip === 'string' && data.skip !== '' ? data.skip : 'NO REASON GIVEN'}`)
    } else {
      count(ofFile, totals, 'passed')
    }
    if (data.nesting === 0) ofFile.ms += data.details.duration_ms
  }
  for (const [file, of] of [...files].sort(([a], [b]) => a.localeCompare(b))) {
    const mark = of.failed > 0 ? '✖' : '✔'
    yield `${mark} ${file}: ${of.passed} passed${of.failed > 0 ? `, ${of.failed} failed` : ''}${of.skipped > 0 ? `, ${of.skipped} skipped` : ''} (${Math.round(of.ms)} ms)\n`
  }
  if (skipped.length > 0) yield `\nSkipped, with the reason:\n${skipped.join('\n')}\n`
  if (failures.length > 0) yield `\nFailed:\n${failures.join('\n')}\n`
  yield `\n${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped\n`
}

function count(file: FileTotals, totals: FileTotals, what: 'passed' | 'failed' | 'skipped'): void {
  file[what]++
  totals[what]++
}

/** What went wrong and why, down to the first cause. node:test wraps what a test threw; that wrapper says nothing. */
function cause(error: unknown): string {
  let inner = error instanceof Error && error.cause !== undefined ? error.cause : error
  const said: string[] = []
  while (said.length < maxCauses && inner !== undefined) {
    said.push(inner instanceof Error ? (inner.stack ?? inner.message) : inspect(inner))
    inner = inner instanceof Error ? inner.cause : undefined
  }
  return said.join('\ncaused by: ')
}

function indent(text: string): string {
  return text.split('\n').map((line) => `    ${line}`).join('\n')
}
