import assert from 'node:assert/strict'
import { test } from 'node:test'
import { IdleLimit } from './idle-limit.ts'
import type { Caution } from './idle-limit.ts'

const unsaid = Infinity

/** What a host did, and for how long its connections may have been idle then. */
const cases: { readonly title: string; readonly seen: readonly (readonly ['open' | 'closed', number])[]; readonly caution: Caution; readonly said?: number; readonly lent: number; readonly not: number }[] = [
  { title: 'nothing is known: who may ask twice takes any', seen: [], caution: 'any', lent: 1_000_000, not: Infinity },
  { title: 'nothing is known: who may not takes what hardly any server closes', seen: [], caution: 'sure', lent: 499, not: 500 },
  { title: 'the host said for how long', seen: [], caution: 'sure', said: 4_000, lent: 3_999, not: Infinity },
  { title: 'others lasted longer, by a margin', seen: [['open', 10_000]], caution: 'sure', lent: 9_000, not: 9_001 },
  { title: 'it closes after 5 s', seen: [['closed', 5_000]], caution: 'any', lent: 3_999, not: 4_000 },
  { title: 'it closes after half a second', seen: [['closed', 500]], caution: 'sure', lent: 249, not: 250 },
  { title: 'it closes sooner than it did', seen: [['open', 60_000], ['closed', 60_000], ['closed', 5_000]], caution: 'any', lent: 3_999, not: 4_000 },
  { title: 'what it closed sooner no longer counts as lasting', seen: [['open', 60_000], ['closed', 5_000], ['open', 6_001]], caution: 'sure', lent: 5_001, not: 5_002 },
  { title: 'it closed once for another reason: others last', seen: [['closed', 100], ['open', 151]], caution: 'any', lent: 1_000_000, not: Infinity },
  { title: 'what is under way need not have come', seen: [['closed', 5_000], ['open', 5_900]], caution: 'any', lent: 3_999, not: 4_000 },
]
for (const { title, seen, caution, said = unsaid, lent, not } of cases) {
  test(`how long a connection may have been idle (${caution}): ${title}`, () => {
    const limit = new IdleLimit()
    for (const [what, ms] of seen) limit[what](ms)
    assert.equal(limit.lends(lent, said, caution), true)
    if (not !== Infinity) assert.equal(limit.lends(not, said, caution), false)
  })
}
