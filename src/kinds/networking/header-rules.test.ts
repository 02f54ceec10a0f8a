// The kinds know what proxies can put into headers without importing them: here the two lists are held together.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compileFormat } from '../../proxy/http/router/format.ts'
import { formatProblem } from '../fields/headers.ts'
import { servedExpressions } from './header-rules.ts'

const takes = (text: string): boolean => {
  try {
    compileFormat(text)
    return true
  } catch {
    return false
  }
}

test('what the kinds take for served is served by proxies', () => {
  const refused = [...servedExpressions].filter((name) => !takes(['REQ', 'RESP'].includes(name) ? `%${name}(a)%` : `%${name}%`))
  assert.deepEqual(refused, [])
})

for (const [text, isFine] of [
  ['plain', true], ['100%%', true], ['%REQ(a)%', true], ['%REQ(a):10% b', true], ['a %PROTOCOL% b %START_TIME%', true], ['%DYNAMIC_METADATA(["a", "b)"])%', true],
  ['100%', false], ['%', false], ['%%%', false], ['%REQ(a%', false], ['%REQ(a)', false], ['%PROTOCOL', false], ['a%20b', false],
] as const) {
  test(`the value ${JSON.stringify(text)} of a header is ${isFine ? 'fine' : 'refused'}`, () => {
    assert.equal(formatProblem(text), isFine ? undefined : 'has a % that nothing closes: a plain one is written %%')
  })
}
