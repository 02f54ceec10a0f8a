// Expressions compiled into predicates: one call for each node that has to be looked at, nothing allocated.
import { inRange, valueAt } from './expression.ts'
import type { Expression, RbacFacts, TextTest } from './expression.ts'

export type Predicate = (facts: RbacFacts) => boolean

const always: Predicate = () => true

export function compileExpression(expression: Expression): Predicate {
  switch (expression.kind) {
    case 'any': return always
    case 'all': return all(expression.of.map(compileExpression))
    case 'some': return some(expression.of.map(compileExpression))
    case 'not': return not(compileExpression(expression.of))
    case 'header': return header(expression.name, expression.test, expression.missingIsEmpty)
    case 'header-present': return present(expression.name)
    case 'path': return path(expression.test)
    case 'identity': return identity(expression.test)
    case 'server-name': return serverName(expression.test)
    case 'port': return port(expression.start, expression.end)
    case 'ip': return ip(expression)
    case 'metadata': return metadata(expression)
  }
}

/** An empty list of all is met, one of some never. */
export function all(tests: readonly Predicate[]): Predicate {
  if (tests.length === 1) return tests[0]!
  return (facts) => {
    for (let i = 0; i < tests.length; i++) if (!tests[i]!(facts)) return false
    return true
  }
}

export function some(tests: readonly Predicate[]): Predicate {
  if (tests.length === 1) return tests[0]!
  return (facts) => {
    for (let i = 0; i < tests.length; i++) if (tests[i]!(facts)) return true
    return false
  }
}

const not = (test: Predicate): Predicate => (facts) => !test(facts)

function header(name: string, { test }: TextTest, missingIsEmpty: boolean): Predicate {
  return (facts) => {
    const value = facts.header(name)
    if (value === undefined) return missingIsEmpty && test('')
    if (typeof value === 'string') return test(value)
    for (let i = 0; i < value.length; i++) if (test(value[i]!)) return true
    return false
  }
}

const present = (name: string): Predicate => (facts) => facts.header(name) !== undefined

const path = ({ test }: TextTest): Predicate => (facts) => facts.path !== undefined && test(facts.path)

function identity(asked: TextTest | undefined): Predicate {
  if (asked === undefined) return (facts) => facts.identities !== undefined
  return (facts) => {
    const { identities } = facts
    if (identities === undefined) return false
    for (let i = 0; i < identities.length; i++) if (asked.test(identities[i]!)) return true
    return false
  }
}

const serverName = ({ test }: TextTest): Predicate => (facts) => test(facts.serverName)

const port = (start: number, end: number): Predicate => ({ destinationPort }) => destinationPort >= start && destinationPort < end

const ip = ({ of, range }: Extract<Expression, { kind: 'ip' }>): Predicate => (facts) => inRange(range, facts.ip(of))

const metadata = ({ namespace, path: at, test }: Extract<Expression, { kind: 'metadata' }>): Predicate => (facts) =>
  test.test(valueAt(facts.metadata(namespace), at))
