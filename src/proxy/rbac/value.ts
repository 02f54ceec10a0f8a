// Values of metadata that RBAC compares: ValueMatcher, as claims of tokens need it.
import type { ValueMatcher } from '../../proto/gen/envoy/type/matcher/v3/value_pb.ts'
import type { ValueTest } from '../../security/rbac/expression.ts'
import { badConfig } from '../http/router/problem.ts'
import { textTest } from './text.ts'

export function valueTest(matcher: ValueMatcher | undefined): ValueTest {
  const pattern = matcher?.matchPattern
  switch (pattern?.case) {
    case 'stringMatch': {
      const { test, words, key } = textTest(pattern.value)
      return { test: (value) => typeof value === 'string' && test(value), words, exact: key?.kind === 'exact' && !key.folded ? key.value : undefined }
    }
    case 'boolMatch': return plain((value) => value === pattern.value, `is ${pattern.value}`)
    case 'presentMatch': return plain((value) => (value !== undefined) === pattern.value, pattern.value ? 'is there' : 'is absent')
    case 'nullMatch': return plain((value) => value === null, 'is null')
    case 'listMatch': return listTest(pattern.value.matchPattern.case === 'oneOf' ? pattern.value.matchPattern.value : undefined)
    case 'orMatch': return someTest(pattern.value.valueMatchers.map(valueTest))
    case 'doubleMatch': return numberTest(pattern.value.matchPattern)
    default: throw badConfig('a value matcher without a pattern')
  }
}

const plain = (test: ValueTest['test'], words: string): ValueTest => ({ test, words, exact: undefined })

function listTest(item: ValueMatcher | undefined): ValueTest {
  const { test, words, exact } = valueTest(item)
  return { test: (value) => Array.isArray(value) && value.some(test), words: `has an item that ${words}`, exact }
}

function someTest(tests: readonly ValueTest[]): ValueTest {
  const exacts = new Set(tests.map(({ exact }) => exact))
  return { test: (value) => tests.some(({ test }) => test(value)), words: [...new Set(tests.map(({ words }) => words))].join(' or '), exact: exacts.size === 1 ? tests[0]!.exact : undefined }
}

type NumberPattern = Extract<ValueMatcher['matchPattern'], { case: 'doubleMatch' }>['value']['matchPattern']

function numberTest(pattern: NumberPattern): ValueTest {
  if (pattern.case === 'exact') return plain((value) => value === pattern.value, `is ${pattern.value}`)
  if (pattern.case !== 'range') throw badConfig('a number matcher without a pattern')
  const { start, end } = pattern.value
  return plain((value) => typeof value === 'number' && value >= start && value < end, `is from ${start} up to, but not, ${end}`)
}
