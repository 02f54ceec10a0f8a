// The mesh on this machine as its neighbours on it see it: what they can read, what they can reach, what they can start.
import assert from 'node:assert/strict'
import { lstat, mkdir, readFile, readdir, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { findRunning } from '../../src/cli/running.ts'
import { echo, service, startLocalMesh } from '../support/local-mesh.ts'
import type { LocalMesh } from '../support/local-mesh.ts'
import { TempFolder } from '../support/temp-folder.ts'
import { TrysailProcess } from '../support/trysail-process.ts'

const runtime = await TempFolder.create()
process.env['XDG_RUNTIME_DIR'] = runtime.path
after(() => runtime[Symbol.asyncDispose]())

/** What is below a folder, and the folder itself, that others than its owner may read, write or enter. */
async function openToOthers(folder: string): Promise<readonly string[]> {
  const all = [folder, ...(await readdir(folder, { recursive: true })).map((name) => join(folder, name))]
  const modes = await Promise.all(all.map(async (path) => ({ path, mode: (await lstat(path)).mode & 0o777 })))
  return modes.filter(({ mode }) => (mode & 0o077) !== 0).map(({ path, mode }) => `${path} ${mode.toString(8)}`)
}

test('what a mesh keeps on disk is for its owner alone: keys, secrets, audit log, and where its admin ports are', async () => {
  const before = process.umask(0)
  try {
    await using world = await startLocalMesh({ 'mesh.yaml': echo('web') + service('web') })
    assert.ok(world.mesh.processes.length > 0)
    assert.deepEqual(await openToOthers(world.folder.at('state')), [])
    assert.deepEqual(await openToOthers(join(runtime.path, 'trysail')), [])
    assert.ok((await readdir(world.folder.at('state'))).includes('audit.log'))
  } finally {
    process.umask(before)
  }
})

/** Whoever listens on all addresses answers at this one too. */
const otherLoopback = '127.0.0.2'

function answers(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, host)
    socket.on('connect', () => resolve(true)).on('error', () => resolve(false)).setTimeout(5000, () => resolve(false))
    socket.on('connect', () => socket.destroy())
  })
}

test('admin servers, debug pages and xDS without TLS listen on one address of loopback and on no other', async () => {
  await using world = await startLocalMesh({ 'mesh.yaml': echo('web') + service('web') })
  const [running] = findRunning()
  const ports = [running!.debug!.port, world.mesh.control.plaintext.port, ...running!.proxies.map(({ admin }) => admin.port)]
  assert.ok(ports.length >= 3)
  for (const port of ports) assert.deepEqual([await answers('127.0.0.1', port), await answers(otherLoopback, port)], [true, false], `port ${port}`)
})

const program = `import { writeFileSync } from 'node:fs'\nwriteFileSync(process.argv[2], JSON.stringify({ args: process.argv.slice(3), told: process.env.TOLD }))\nsetInterval(() => {}, 1000)\n`

async function toldOf(world: LocalMesh, file: string): Promise<unknown> {
  await world.until('the program says what it was told', () => readFile(file, 'utf8').then((text) => text !== '', () => false))
  return JSON.parse(await readFile(file, 'utf8'))
}

test('commands and variables of a Process are handed over as they stand: no shell reads them', async () => {
  await using folder = await TempFolder.create()
  await writeFile(folder.at('told.mjs'), program)
  const nasty = ['; touch owned', '$(touch owned)', '`touch owned`', '| cat', '&& exit 1', '*', '~', '"', "'", '\\', '%PATH%', '$HOME', '-e', '']
  const spec = { command: [process.execPath, folder.at('told.mjs'), folder.at('told.json'), ...nasty], env: { TOLD: '$(touch owned); $HOME' }, workingDir: folder.path }
  const file = `apiVersion: trysail.dev/v1\nkind: Process\nmetadata: { name: told }\nspec: ${JSON.stringify(spec)}\n`
  await using world = await startLocalMesh({ 'mesh.yaml': file }, { ready: false })
  assert.deepEqual(await toldOf(world, folder.at('told.json')), { args: nasty, told: '$(touch owned); $HOME' })
  assert.deepEqual((await readdir(folder.path)).sort(), ['told.json', 'told.mjs'])
})

test("reports of node about a process hold no key, and nothing of its environment", { timeout: 60_000 }, async () => {
  await using folder = await TempFolder.create()
  await folder.write('mesh/mesh.yaml', echo('web'))
  await using control = new TrysailProcess(['control', '-f', folder.at('mesh'), '--state-dir', folder.at('state'), '--xds-port', '0', '--plaintext-port', '0', '--debug-port', '0'], {
    cwd: folder.path, env: { SOME_TOKEN: 'correct-horse-battery', NODE_OPTIONS: `--report-on-signal --report-directory=${folder.at('reports')}` },
  })
  await control.saying(/xDS/)
  await mkdir(folder.at('reports'), { recursive: true })
  control.signal('SIGUSR2')
  let text = ''
  for (const until = Date.now() + 20_000; !text.endsWith('}\n') && Date.now() < until; await sleep(20)) {
    const [name] = await readdir(folder.at('reports'))
    text = name === undefined ? '' : await readFile(folder.at(`reports/${name}`), 'utf8')
  }
  assert.match(text, /"commandLine"/)
  const key = await readFile(folder.at('state/ca/ca-key.pem'), 'utf8')
  for (const needle of ['correct-horse-battery', 'PRIVATE KEY', key.split('\n')[1]!]) assert.ok(!text.includes(needle), `the report shows ${needle.slice(0, 12)}...`)
})
