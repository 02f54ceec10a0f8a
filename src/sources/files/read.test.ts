import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmod, writeFile } from 'node:fs/promises'
import { test } from 'node:test'
import { TempFolder } from '../../../test/support/temp-folder.ts'
import { defaultFileLimits } from './limits.ts'
import { filesOnce, readFiles } from './read.ts'

const service = (name: string): string => `apiVersion: v1\nkind: Service\nmetadata: { name: ${name} }\nspec: { ports: [{ port: 80 }] }\n`
const names = (state: Awaited<ReturnType<typeof readFiles>>): string[] => state.resources.map((one) => `${one.metadata.namespace}/${one.metadata.name}`)

test('files in the order in which they are named, folders by name with all that is in them, standard input last', async () => {
  await using folder = await TempFolder.create()
  await folder.write('mesh/b/2.yml', service('two'))
  await folder.write('mesh/a.yaml', `${service('one')}---\n${service('other')}`)
  await folder.write('mesh/notes.md', '# none of ours')
  await folder.write('first.conf', service('first'))
  const state = await readFiles([folder.at('first.conf'), '-', folder.at('mesh')], { stdin: service('typed') })
  assert.deepEqual(names(state), ['default/first', 'default/one', 'default/other', 'default/two', 'default/typed'])
  assert.deepEqual(state.issues, [])
  assert.deepEqual(state.objects.map((one) => [one.file, one.line, one.name]).slice(1, 3), [[folder.at('mesh/a.yaml'), 1, 'one'], [folder.at('mesh/a.yaml'), 6, 'other']])
  assert.equal(state.resources.at(-1)!.origin.file, '-')
})

test('objects without a namespace get the one that was asked for; objects of the whole cluster get none', async () => {
  const stdin = `${service('a')}---\n${service('b').replace('name: b', 'name: b, namespace: own')}---\napiVersion: v1\nkind: Node\nmetadata: { name: n }\n---\n${service('bad').replace('port:', 'prot:')}`
  const state = await readFiles(['-'], { stdin, namespace: 'shop' })
  assert.deepEqual(names(state), ['shop/a', 'own/b', '/n'])
  assert.deepEqual(state.objects.map((one) => one.namespace), ['shop', 'own', '', 'shop'])
  assert.equal(state.issues[0]!.resource, 'Service/shop/bad')
})

test('objects that the mesh does not read are listed too', async () => {
  const state = await readFiles(['-'], { stdin: 'apiVersion: apps/v1\nkind: DaemonSet\nmetadata: { name: d }\n---\napiVersion: telemetry.istio.io/v1\nkind: Telemetry\nmetadata: { name: t }\n' })
  assert.deepEqual(state.objects.map((one) => [one.name, one.handling]), [['d', 'inert'], ['t', 'later']])
  assert.deepEqual(state.issues.map((one) => [one.severity, one.resource]), [['warning', 'Telemetry/default/t']])
})

test('one object twice is an error at the second place that names the first', async () => {
  const state = await readFiles(['-'], { stdin: `${service('a')}---\n${service('a')}` })
  assert.equal(state.resources.length, 1)
  assert.deepEqual(state.objects.map((one) => one.resource === undefined), [false, true])
  const [issue] = state.issues
  assert.deepEqual([issue!.severity, issue!.origin.line, issue!.resource], ['error', 8, 'Service/default/a'])
  assert.match(issue!.message, /Service a in namespace default is there already, at -:1/)
})

const refusals: readonly (readonly [title: string, name: string, make: (folder: TempFolder) => Promise<void>, message: RegExp])[] = [
  ['a path that is not there', 'missing.yaml', async () => {}, /no such file or folder/],
  ['a path below a file', 'file/inner.yaml', (folder) => folder.write('file', ''), /a part of the path is no folder/],
  ['a link in a circle', 'loop.yaml', (folder) => folder.link('loop.yaml', 'loop.yaml'), /around in a circle/],
  ['a link that leads nowhere, within a folder', '.', (folder) => folder.link('nowhere', 'a.yaml'), /no such file or folder/],
  ['a file that is too large', 'big.yaml', (folder) => folder.write('big.yaml', `# ${'x'.repeat(2000)}`), /is larger than 1000 bytes/],
  ['a file that is not text', 'a.yaml', (folder) => writeFile(folder.at('a.yaml'), Buffer.from([0x6b, 0xff, 0xfe])), /is not UTF-8 text/],
  ['too many files', '.', (folder) => Promise.all(['a', 'b', 'c', 'd'].map((name) => folder.write(`${name}.yaml`, ''))).then(() => {}), /more than 3 files: those after .*c\.yaml are not read/],
  ['folders too deep', '.', (folder) => folder.write('1/2/3/a.yaml', service('a')), /more than 2 folders deep/],
]

for (const [title, name, make, message] of refusals) {
  test(`${title} is an error that names the path and the reason`, async () => {
    await using folder = await TempFolder.create()
    await make(folder)
    const state = await readFiles([folder.at(name)], { limits: { ...defaultFileLimits, maxFileBytes: 1000, maxFiles: 3, maxDepth: 2 } })
    assert.equal(state.issues.length, 1)
    const [issue] = state.issues
    assert.equal(issue!.severity, 'error')
    assert.match(issue!.message, message)
    assert.ok(issue!.origin.file.startsWith(folder.path), issue!.origin.file)
  })
}

test('a file that may not be read is an error', { skip: process.getuid?.() === 0 ? 'root may read everything' : false }, async () => {
  await using folder = await TempFolder.create()
  await folder.write('a.yaml', service('a'))
  await chmod(folder.at('a.yaml'), 0)
  const state = await readFiles([folder.path])
  assert.match(state.issues[0]!.message, /permission denied/)
})

test('standard input that was not given is an error', async () => {
  const state = await readFiles(['-'])
  assert.deepEqual(state.issues.map((one) => [one.origin.file, one.message]), [['-', 'standard input was not given']])
})

test('a pipe is read to its end', { skip: process.platform === 'win32' ? 'no named pipes' : false }, async () => {
  await using folder = await TempFolder.create()
  execFileSync('mkfifo', [folder.at('pipe')])
  const [state] = await Promise.all([readFiles([folder.at('pipe')]), writeFile(folder.at('pipe'), service('a'))])
  assert.deepEqual(names(state), ['default/a'])
})

test('a file with a byte order mark, and one with Windows line ends, are read', async () => {
  await using folder = await TempFolder.create()
  await folder.write('a.yaml', `\ufeff${service('a').replaceAll('\n', '\r\n')}`)
  assert.deepEqual(names(await readFiles([folder.path])), ['default/a'])
})

test('read once as a source, files are what they were at its start', async () => {
  await using folder = await TempFolder.create()
  await folder.write('a.yaml', service('a'))
  const source = filesOnce([folder.path])
  assert.deepEqual(source.current().resources, [])
  await source.start(() => assert.fail('nothing changes'))
  await folder.write('b.yaml', service('b'))
  assert.deepEqual(names(source.current()), ['default/a'])
  await source.close()
})
