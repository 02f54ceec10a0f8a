import assert from 'node:assert/strict'
import { test } from 'node:test'
import { captureIo } from '../../test/support/capture-io.ts'
import { main } from './main.ts'
import { commands } from './table.ts'

async function run(...args: string[]) {
  const io = captureIo()
  const code = await main(args, io)
  return { code, out: io.out(), err: io.err() }
}

test('help lists every command and the exit codes', async () => {
  const { code, out } = await run('--help')
  assert.equal(code, 0)
  for (const { name, summary } of commands) assert.ok(out.includes(`${name} `) && out.includes(summary), name)
  assert.match(out, /0 +fine\n +1 +findings.*\n +64 +wrong usage/)
})

test('every command has help with its options, the same summary as the list, and examples that parse', async () => {
  for (const row of commands) {
    const command = await row.load()
    const { code, out } = await run(...row.name.split(' '), '--help')
    assert.equal(code, 0)
    assert.equal(command.summary, row.summary)
    assert.ok(out.startsWith(`${command.summary}\n`), row.name)
    for (const { name } of command.options) assert.ok(out.includes(`--${name}`), `${row.name} --${name}`)
    assert.ok(command.examples.every((example) => example.includes(`trysail ${row.name}`)), row.name)
  }
})

test('a mistyped command or flag exits with 64 and says what was perhaps meant', async () => {
  assert.deepEqual(await run('versoin'), { code: 64, out: '', err: "trysail: unknown command versoin; did you mean version?\nSee 'trysail --help'.\n" })
  assert.deepEqual(await run('version', '--ouput=json'), {
    code: 64, out: '', err: "trysail: unknown flag --ouput; did you mean --output?\nSee 'trysail version --help'.\n",
  })
  assert.equal((await run()).code, 64)
  assert.equal((await run('--verbose')).code, 64)
})

test('the first word of commands with two is told what follows, and has help', async () => {
  assert.deepEqual(await run('xds'), { code: 64, out: '', err: "trysail: xds is followed by more: xds dump\nSee 'trysail --help'.\n" })
  const { code, out } = await run('xds', '--help')
  assert.equal(code, 0)
  assert.match(out, /xds dump .*xDS/)
  assert.ok(!out.includes('validate'))
})

test('version answers in text, JSON and YAML', async () => {
  const { out } = await run('version', '-o', 'json')
  assert.equal((JSON.parse(out) as { node: string }).node, process.version)
  assert.match((await run('version', '-o', 'yaml')).out, /^trysail: /)
  assert.match((await run('version')).out, /^trysail \d+\.\d+\.\d+ \(Node v/)
  assert.deepEqual(await run('--version'), await run('version'))
})
