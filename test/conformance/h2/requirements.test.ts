// The table of requirements is complete, and so are the cases behind it: a case that is removed or renamed is missed here.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { rfc9112 } from '../h1-requirements.ts'
import { rfc7541, rfc9113 } from './requirements.ts'
import type { Requirement } from './requirements.ts'

/** How many sentences with MUST or MUST NOT each section has, counted in the text of the RFCs, without the one that defines the words. */
const ofRfc9113: Readonly<Record<string, number>> = {
  '3.2': 2, '3.3': 2, '3.4': 4, '4.1': 4, '4.2': 3, '4.3': 3, '4.3.1': 2, '5.1': 9, '5.1.1': 3, '5.1.2': 2, '5.2.1': 1, '5.2.2': 1, '5.4': 1, '5.4.1': 1, '5.4.2': 2, '5.5': 5,
  '6.1': 5, '6.2': 6, '6.3': 2, '6.4': 7, '6.5': 8, '6.5.2': 10, '6.5.3': 4, '6.6': 13, '6.7': 6, '6.8': 5, '6.9': 5, '6.9.1': 3, '6.9.2': 3, '6.9.3': 1, '6.10': 6, '7': 1,
  '8.1': 5, '8.1.1': 3, '8.2': 1, '8.2.1': 7, '8.2.2': 4, '8.2.3': 1, '8.3': 8, '8.3.1': 10, '8.3.2': 1, '8.4': 6, '8.4.1': 5, '8.4.2': 1, '8.5': 3, '8.7': 2,
  '9.1.1': 1, '9.2': 3, '9.2.1': 6, '9.2.2': 2, '9.2.3': 2, '10.3': 2, '10.4': 2, '10.5.1': 1, '10.6': 3,
}
const ofRfc7541: Readonly<Record<string, number>> = { '2.1': 2, '2.3.2': 1, '2.3.3': 1, '3.2': 1, '4.2': 3, '5.1': 1, '5.2': 3, '6.1': 1, '6.2.3': 3, '6.3': 2, '7.1.3': 2 }

const ofRfc9112: Readonly<Record<string, number>> = {
  '2.2': 7, '2.3': 1, '3': 1, '3.2': 4, '3.2.1': 2, '3.2.2': 6, '3.2.3': 1, '3.2.4': 2, '4': 1, '5.1': 2, '5.2': 4, '6.1': 10, '6.2': 1, '6.3': 11,
  '7.1': 2, '7.1.1': 1, '7.1.2': 2, '7.3': 3, '7.4': 2, '8': 1, '9.2': 2, '9.3': 5, '9.3.2': 2, '9.6': 6, '9.7': 1, '9.8': 2, '10.1': 1,
}

const texts = new Map<string, string>()
function textOf(file: string): string {
  const known = texts.get(file) ?? readFileSync(new URL(file, import.meta.url), 'utf8')
  texts.set(file, known)
  return known
}

/** A title as it stands in the source, whole, in a line that is no comment. */
function isThere(proof: string): boolean {
  const [file = '', title = ''] = proof.split(/#(.*)/s)
  const lines = textOf(file).split('\n').filter((line) => !line.trimStart().startsWith('//'))
  return title !== '' && ["'", '"', '`'].some((quote) => lines.some((line) => line.includes(`${quote}${title}${quote}`)))
}

for (const [rfc, requirements, counts] of [['RFC 9113', rfc9113, ofRfc9113], ['RFC 7541', rfc7541, ofRfc7541], ['RFC 9112', rfc9112, ofRfc9112]] as const) {
  describe(rfc, () => {
    test('the table has a row for each MUST of each section, in the order of the RFC', () => {
      const rows: Record<string, number> = {}
      for (const [section] of requirements) rows[section] = (rows[section] ?? 0) + 1
      assert.deepEqual(Object.entries(rows), Object.entries(counts))
    })

    test('each row has cases that exist, or says why there can be none', () => {
      const missing = requirements.flatMap((one: Requirement) => ('unseen' in one[2] ? [] : one[2].filter((proof) => !isThere(proof)).map((proof) => `${one[0]}: ${proof}`)))
      assert.deepEqual(missing, [])
      for (const [section, says, proof] of requirements) assert.ok('unseen' in proof ? proof.unseen !== '' : proof.length > 0, `${section}: ${says}`)
    })
  })
}

const reasons = (requirements: readonly Requirement[]): readonly string[] => requirements.flatMap(([, , proof]) => ('unseen' in proof ? [proof.unseen] : []))

test('what no peer can see is little, mostly about pushes; what is not held is said', () => {
  assert.deepEqual([rfc9113.length, reasons(rfc9113).length, reasons(rfc9113).filter((why) => why.startsWith('we never push')).length], [209, 31, 19])
  assert.deepEqual([rfc7541.length, reasons(rfc7541).length], [20, 0])
  assert.deepEqual([rfc9112.length, reasons(rfc9112).length], [83, 20])
  assert.deepEqual([rfc9112, rfc9113, rfc7541].map((all) => reasons(all).filter((why) => why.startsWith('not held')).length), [2, 0, 0])
})
