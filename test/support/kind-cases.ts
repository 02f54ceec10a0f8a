// Runs a table of mistakes against a kind: each is one change to a valid spec, with the one finding that it must give, and
// with its twin, a change that is nearly the same and fine.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseDocuments } from '../../src/kinds/parse.ts'
import { formatPath } from '../../src/model/resource.ts'

/** A path in the spec as it is written in messages, `http[0].route`, and what to put there; undefined takes it away. */
export type Change = readonly [at: string, value: unknown]

export interface KindCase {
  /** Completes 'refuses ...' or 'warns of ...'. */
  readonly title: string
  readonly change: Change | readonly Change[]
  /** Of the spec unless it begins with `metadata`; without one, that of the (first) change. */
  readonly path?: string
  readonly message: string
  readonly severity?: 'error' | 'warning'
  readonly twin: Change | readonly Change[]
}

export interface KindUnderTest {
  readonly apiVersion: string
  readonly kind: string
  /** Valid, without a warning. */
  readonly spec: object
  readonly metadata?: object
}

type Tree = Record<string | number, unknown>

export function testKind(subject: KindUnderTest, cases: readonly KindCase[]): void {
  void test(`${subject.kind}: the spec that the cases change is valid, without a warning`, () => {
    assert.deepEqual(findingsIn(subject, []), [])
  })
  for (const one of cases) {
    const severity = one.severity ?? 'error'
    void test(`${subject.kind}: ${severity === 'error' ? 'refuses' : 'warns of'} ${one.title}`, () => {
      const changes = changesOf(one.change)
      const expected = `${severity} ${fullPath(one.path ?? changes[0]![0])}: ${one.message}`
      const showsUnserved = one.message.includes('not served yet')
      assert.deepEqual(findingsIn(subject, changes).filter((text) => showsUnserved || !text.includes('not served yet')), [expected])
      assert.deepEqual(findingsIn(subject, changesOf(one.twin)).filter((text) => !text.includes('not served yet')), [], 'the twin')
    })
  }
}

const fullPath = (path: string): string => (path.startsWith('metadata') ? path : path === '' ? 'spec' : `spec.${path}`)

const changesOf = (change: Change | readonly Change[]): readonly Change[] =>
  typeof change[0] === 'string' ? [change as Change] : (change as readonly Change[])

/** `error spec.http[0]: needs an action`, in the order in which they are found. */
export function findingsIn(subject: KindUnderTest, changes: readonly Change[]): string[] {
  const { apiVersion, kind } = subject
  const document = structuredClone({ apiVersion, kind, metadata: { name: 'one', namespace: 'shop', ...subject.metadata }, spec: subject.spec }) as Tree
  for (const [at, value] of changes) change(document, stepsOf(at), value)
  const { issues } = parseDocuments(JSON.stringify(document), 'case.yaml')
  return issues.map(({ severity, path, message }) => `${severity} ${formatPath(path)}: ${message}`)
}

const stepsOf = (at: string): (string | number)[] => {
  const steps = at === '' ? [] : at.split(/\.|\[(\d+)\]\.?/).filter((step) => step !== undefined && step !== '')
  const numbered = steps.map((step) => (/^\d+$/.test(step) ? Number(step) : step))
  return numbered[0] === 'metadata' ? numbered : ['spec', ...numbered]
}

function change(document: Tree, steps: readonly (string | number)[], value: unknown): void {
  let at = document
  for (const step of steps.slice(0, -1)) at = (at[step] ??= {}) as Tree
  if (value === undefined) delete at[steps.at(-1)!]
  else at[steps.at(-1)!] = value
}
