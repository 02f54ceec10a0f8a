import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseArguments } from './arguments.ts'
import { UsageError } from './usage-error.ts'

const taken = {
  options: [
    { name: 'file', short: 'f', value: 'FILE', repeats: true, required: true, sentence: 'A file.' },
    { name: 'output', short: 'o', value: 'FORMAT', choices: ['text', 'json'], sentence: 'How.' },
    { name: 'watch', short: 'w', sentence: 'Keep looking.' },
  ],
  operands: [{ name: 'WHAT', required: true, choices: ['routes', 'clusters'], sentence: 'What.' }],
}

function mistakesOf(...args: string[]): readonly string[] {
  try {
    parseArguments(args, taken)
  } catch (error) {
    if (error instanceof UsageError) return error.mistakes
    throw error
  }
  return []
}

test('flags, values and operands are found in any order', () => {
  const got = parseArguments(['-f', 'a.yaml', 'routes', '--file=b.yaml', '-w', '-f', '-', '-o', 'json'], taken)
  assert.deepEqual(got.list('file'), ['a.yaml', 'b.yaml', '-'])
  assert.deepEqual([got.text('output'), got.flag('watch'), got.operands], ['json', true, ['routes']])
})

test('an unknown flag says which one was perhaps meant', () => {
  assert.deepEqual(mistakesOf('routes', '-f', 'a', '--wacth'), ['unknown flag --wacth; did you mean --watch?'])
  assert.deepEqual(mistakesOf('routes', '-f', 'a', '--something-else'), ['unknown flag --something-else'])
  assert.deepEqual(mistakesOf('routes', '-f', 'a', '-x'), ['unknown flag -x'])
})

test('all mistakes are reported together', () => {
  assert.deepEqual(mistakesOf('rotues', 'more', '-o', 'xml', '--watch=yes'), [
    '--output must be one of text, json, not "xml"',
    '--watch takes no value',
    '-f, --file FILE is needed',
    'unexpected argument "more"',
    'WHAT must be one of routes, clusters, not "rotues"; did you mean routes?',
  ])
  assert.deepEqual(mistakesOf('routes', '-f', 'a', '-o'), ['--output needs a value: FORMAT'])
  assert.deepEqual(mistakesOf('routes', '-f', 'a', '-o', 'json', '-o', 'text'), ['--output is given more than once'])
})

test('an operand that repeats takes all that follows', () => {
  const more = { options: taken.options, operands: [{ name: 'FILE', repeats: true, sentence: 'More files.' }] }
  assert.deepEqual(parseArguments(['-f', 'a.yaml', 'b.yaml', 'c.yaml'], more).operands, ['b.yaml', 'c.yaml'])
})

test('with --help nothing is required', () => {
  assert.equal(parseArguments(['--help'], taken).flag('help'), true)
  assert.equal(parseArguments(['-h'], taken).flag('help'), true)
})
