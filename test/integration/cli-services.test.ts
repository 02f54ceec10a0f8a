// The command lines of control and proxy: settings from file, environment and flags, all mistakes at once, and the small
// commands beside them.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { main } from '../../src/cli/main.ts'
import { settingsOf, settingsOptions } from '../../src/cli/settings-options.ts'
import { parseArguments } from '../../src/cli/arguments.ts'
import { openCa } from '../../src/control/ca/ca.ts'
import { createBootstrapTokens } from '../../src/control/ca/tokens.ts'
import { proxyEnvPrefix, proxySettingsTable } from '../../src/proxy/settings.ts'
import { captureIo } from '../support/capture-io.ts'
import { TempFolder } from '../support/temp-folder.ts'

async function run(...args: string[]) {
  const io = captureIo()
  const code = await main(args, io)
  return { code, out: io.out(), err: io.err().split('\n').slice(0, -1) }
}

const options = [{ name: 'config', value: 'FILE', sentence: '' }, ...settingsOptions(proxySettingsTable, proxyEnvPrefix)]
const read = (args: readonly string[], env: Record<string, string> = {}) =>
  settingsOf(proxySettingsTable, { envPrefix: proxyEnvPrefix, env }, parseArguments(args, { options, operands: [] }))

test('the settings file gives way to the environment, and that to flags', async () => {
  await using folder = await TempFolder.create()
  const file = join(folder.path, 'proxy.yaml')
  writeFileSync(file, 'name: file\nnamespace: file\nserviceAccount: file\nlabels: { app: reviews }\nadminPort: 1\nterminationDrainDuration: 3s\ndiscoveryPlaintext: true\n')
  const settings = read(['--config', file, '--name', 'flag', '--raw-handles', 'false'], { TRYSAIL_PROXY_NAME: 'env', TRYSAIL_PROXY_NAMESPACE: 'env' })
  const { name, namespace, serviceAccount, labels, adminPort, terminationDrainDuration, discoveryPlaintext, rawHandles } = settings
  assert.deepEqual([name, namespace, serviceAccount, labels, adminPort, terminationDrainDuration, discoveryPlaintext, rawHandles],
    ['flag', 'env', 'file', { app: 'reviews' }, 1, 3000, true, false])
})

test('a settings file that cannot be used is named, with the line where there is one', async () => {
  await using folder = await TempFolder.create()
  const file = join(folder.path, 'proxy.yaml')
  const said = async (text: string) => {
    writeFileSync(file, text)
    return (await run('proxy', '--config', file)).err[0]?.replace(file, 'FILE')
  }
  assert.match(await said('name: a\nlabels: {') ?? '', /^trysail: FILE:2: /)
  assert.equal(await said('- a\n'), 'trysail: FILE: settings are a mapping of names to values')
  assert.equal(await said('nmae: a\n'), 'trysail: nmae in the settings file: no such setting')
  assert.match((await run('proxy', '--config', join(folder.path, 'none'))).err[0] ?? '', /^trysail: --config \S+none cannot be read: ENOENT/)
})

test('all mistakes of a proxy are reported together, with what would help', async () => {
  assert.deepEqual(await run('proxy', '--inbound', 'x', '--key-file', 'own.key'), { code: 64, out: '', err: [
    'trysail: --name is needed: the name of the workload',
    'trysail: --inbound must be LISTEN=APP such as 10.0.0.7:9080=127.0.0.1:8080, not "x"',
    "trysail: --root-ca-file is needed to know the control plane ('trysail control roots' prints it), or --discovery-plaintext for one on this machine",
    'trysail: --certificate-file and --key-file belong together',
    "trysail: --key-file own.key cannot be read: ENOENT: no such file or directory, open 'own.key'",
    "See 'trysail proxy --help'.",
  ] })
  const values = await run('proxy', '--admin-port', 'x', '--drain-duration', '5', '--type', 'envoy')
  assert.deepEqual([values.code, values.err.length], [64, 4])
})

test('a control plane without files, or told two things at once, is wrong usage', async () => {
  assert.deepEqual((await run('control')).err[0], 'trysail: -f, --file FILE is needed: what the mesh is made of')
  assert.deepEqual((await run('control', '-f', 'x', '--watch', '--no-watch')).err[0], 'trysail: --watch and --no-watch exclude each other')
  assert.equal((await run('control', '-f', 'x', '--xds-port', '99999')).code, 64)
})

test('a token that is printed is one that the control plane takes, for the identity that was named', async () => {
  await using folder = await TempFolder.create()
  const state = ['--state-dir', folder.path]
  assert.match((await run('control', 'token', '--identity', 'default/reviews', ...state)).err[0] ?? '', /no control plane has kept its root in/)
  const ca = await openCa({ stateDir: folder.path, trustDomain: 'cluster.local' })
  assert.equal((await run('control', 'roots', ...state)).out.trim(), ca.roots.trim())
  const { code, out } = await run('control', 'token', '--identity', 'default/reviews', ...state)
  assert.equal(code, 0)
  const tokens = await createBootstrapTokens({ stateDir: folder.path })
  assert.deepEqual(tokens.verify(out.trim()), { identity: { trustDomain: 'cluster.local', namespace: 'default', serviceAccount: 'reviews' } })
  assert.deepEqual((await run('control', 'token', '--identity', 'reviews', '--lifetime', 'x', ...state)).err.slice(0, 2), [
    'trysail: --identity must be NAMESPACE/ACCOUNT such as default/bookinfo-reviews, not "reviews"',
    'trysail: --lifetime must be a duration such as 10m, not "x"',
  ])
})
