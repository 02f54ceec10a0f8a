import assert from 'node:assert/strict'
import { test } from 'node:test'
import { applyCapture, captureStands, removeCapture } from './apply.ts'
import { captureSettings } from './capture-settings.ts'
import type { Answer, RunCommand } from './commands.ts'
import { iptablesBackend } from './iptables-backend.ts'

const fine = (stdout = ''): Answer => ({ code: 0, stdout, stderr: '' })

/** A kernel that keeps what nft is told, and lists it in words of its own. No IPv6, no routes, nothing by iptables. */
class Kernel {
  readonly told: string[] = []
  tables = ''
  refuses = ''

  readonly run: RunCommand = (program, args, input = '') => {
    if (program !== 'nft') return Promise.resolve(fine())
    if (args.includes('list')) return Promise.resolve(fine(this.tables))
    this.told.push(input)
    if (this.refuses !== '') return Promise.resolve({ code: 1, stdout: '', stderr: this.refuses })
    const note = /^add chain inet (\S+) (\S+) \{ comment "(.*)" ; \}\n$/.exec(input)
    if (note === null) this.tables = input.split('\n').filter((line) => !/^(delete )?table \S+ \S+$/.test(line)).join('\n').replaceAll('    ', '\t\t')
    else this.tables = this.tables.replace(/\n\}\n?$/, `\n\n\tchain ${note[2]} {\n\t\tcomment "${note[3]}"\n\t}\n}\n`)
    return Promise.resolve(fine())
  }
}

const settings = captureSettings({ ipv6: false })

test('rules are applied once: a second time there is nothing to do', async () => {
  const kernel = new Kernel()
  assert.equal((await captureStands(settings, kernel)).rules, 'none')
  assert.equal(await applyCapture(settings, kernel), 'none')
  assert.equal(kernel.told.length, 2, 'the rules, and the note of what was applied')
  assert.equal(await applyCapture(settings, kernel), 'equal')
  assert.equal(kernel.told.length, 2)
})

test('rules of other settings are found and replaced', async () => {
  const kernel = new Kernel()
  await applyCapture(settings, kernel)
  const others = captureSettings({ ipv6: false, excludeOutboundPorts: [3306] })
  assert.equal((await captureStands(others, kernel)).rules, 'other')
  assert.equal(await applyCapture(others, kernel), 'other')
  assert.equal((await captureStands(others, kernel)).rules, 'equal')
})

test('a rule that somebody took out or put in is found', async () => {
  const kernel = new Kernel()
  await applyCapture(settings, kernel)
  const whole = kernel.tables
  kernel.tables = whole.replace(/.*tcp dport 15008.*\n/, '')
  assert.equal((await captureStands(settings, kernel)).rules, 'other')
  kernel.tables = whole.replace('chain istio-output {\n', 'chain istio-output {\n\t\taccept\n')
  assert.equal((await captureStands(settings, kernel)).rules, 'other')
  assert.equal(await applyCapture(settings, kernel), 'other')
  assert.equal(kernel.tables, whole)
})

test('tables of others are not looked at', async () => {
  const kernel = new Kernel()
  await applyCapture(settings, kernel)
  kernel.tables += 'table inet firewalld {\n\tchain x {\n\t}\n}\n'
  assert.equal((await captureStands(settings, kernel)).rules, 'equal')
})

test('each change of rules is one transaction that begins with the removal of what was there', async () => {
  const kernel = new Kernel()
  await applyCapture(settings, kernel)
  const [first = ''] = kernel.told
  assert.match(first, /^(table inet (istio-proxy-\w+)\ndelete table inet \2\n){3}\ntable inet istio-proxy-nat \{/)
})

test('what the kernel refuses is told, and is not taken for applied', async () => {
  const kernel = new Kernel()
  kernel.refuses = 'Error: Could not process rule: No such file or directory'
  await assert.rejects(applyCapture(settings, kernel), { code: 'agent/no-kernel' })
  assert.equal(kernel.told.length, 1, 'no note')
})

test('a removal names all tables, whichever are there', async () => {
  const kernel = new Kernel()
  await removeCapture(kernel)
  assert.equal(kernel.told.length, 1)
  assert.equal([...kernel.told[0]!.matchAll(/^delete table/gm)].length, 3)
})

test('where nothing is to be captured and nothing is, nothing is changed', async () => {
  const kernel = new Kernel()
  assert.equal(await applyCapture(captureSettings({ mode: 'NONE', ipv6: false }), kernel), 'none')
  assert.deepEqual(kernel.told, [])
})

test('iptables leaves the rules of others where they are', async () => {
  const told: string[] = []
  const saved = '*nat\n:OUTPUT ACCEPT [0:0]\n:ISTIO_OUTPUT - [5:300]\n:DOCKER - [0:0]\n-A OUTPUT -j DOCKER\n-A OUTPUT -m comment --comment trysail -j ISTIO_OUTPUT\n-A ISTIO_OUTPUT -j RETURN\nCOMMIT\n'
  const run: RunCommand = (program, _args, input = '') => {
    if (program.endsWith('-restore')) told.push(input)
    return Promise.resolve(fine(program === 'iptables-save' ? saved : ''))
  }
  await removeCapture({ backend: iptablesBackend, run })
  assert.deepEqual(told, ['*nat\n-D OUTPUT -m comment --comment trysail -j ISTIO_OUTPUT\n-F ISTIO_OUTPUT\n-X ISTIO_OUTPUT\nCOMMIT\n'])
})
