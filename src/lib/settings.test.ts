import assert from 'node:assert/strict'
import { test } from 'node:test'
import { choice, describeSettings, duration, integer, list, onOff, pairs, port, readSettings, text } from './settings.ts'

const table = {
  name: text('anon', 'Who this is.'),
  adminPort: port(15000, 'Where the admin server listens.'),
  drainDuration: duration('45s', 'How long open exchanges may take.'),
  maxConnections: integer(1000, 'How many.', { min: 1, max: 5000 }),
  rawHandles: onOff(true, 'Raw stream handles.'),
  labels: pairs({}, 'Labels.'),
  type: choice(['sidecar', 'router'], 'sidecar', 'What it is.'),
}

test('a flag wins over the environment, which wins over the file, which wins over the default', () => {
  const read = readSettings(table, {
    file: { name: 'file', adminPort: 1, drainDuration: '1s' },
    env: { MESH_NAME: 'env', MESH_ADMIN_PORT: '2' },
    envPrefix: 'MESH_',
    flags: { name: 'flag' },
  })
  assert.ok(read.ok)
  assert.deepEqual(
    [read.settings.name, read.settings.adminPort, read.settings.drainDuration, read.settings.maxConnections],
    ['flag', 2, 1000, 1000],
  )
})

test('all mistakes are reported together, each with where it stands', () => {
  const read = readSettings(table, {
    file: { colour: 'red', labels: { app: 1 } },
    env: { ADMIN_PORT: '70000' },
    flags: { 'drain-duration': '45', 'no-such': 'x', type: 'envoy', 'max-connections': '0' },
  })
  assert.ok(!read.ok)
  assert.deepEqual(read.mistakes, [
    'colour in the settings file: no such setting',
    '--no-such: no such setting',
    'ADMIN_PORT: must be a whole number from 0 to 65535, not "70000"',
    '--drain-duration: must be a duration such as 45s, not "45"',
    '--max-connections: must be a whole number from 1 to 5000, not "0"',
    'labels in the settings file: must be name=value pairs, joined by commas, not {"app":1}',
    '--type: must be one of sidecar, router, not "envoy"',
  ])
})

test('values are read from the text that an environment or a command line gives', () => {
  const read = readSettings(table, {
    flags: { labels: 'app=reviews,version=v1', 'raw-handles': 'false', 'drain-duration': '1m30s' },
  })
  assert.ok(read.ok)
  assert.deepEqual(read.settings.labels, { app: 'reviews', version: 'v1' })
  assert.equal(read.settings.rawHandles, false)
  assert.equal(read.settings.drainDuration, 90_000)
})

test('the help lists flag, variable, type, default and sentence of every row', () => {
  const { adminPort, drainDuration, labels } = table
  assert.deepEqual(describeSettings({ adminPort, drainDuration, labels }, 'MESH_'), [
    ['--admin-port', 'MESH_ADMIN_PORT', 'port', '15000', 'Where the admin server listens.'],
    ['--drain-duration', 'MESH_DRAIN_DURATION', 'duration', '45s', 'How long open exchanges may take.'],
    ['--labels', 'MESH_LABELS', 'name=value,...', '', 'Labels.'],
  ])
})

test('a list is a flag given several times, texts with commas, or a list in a file', () => {
  const lists = { inbound: list('LISTEN=APP', 'Taps.') }
  const read = (layers: Parameters<typeof readSettings>[1]) => readSettings(lists, layers)
  assert.deepEqual(read({}), { ok: true, settings: { inbound: [] } })
  assert.deepEqual(read({ flags: { inbound: ['a=b', 'c=d'] } }), { ok: true, settings: { inbound: ['a=b', 'c=d'] } })
  assert.deepEqual(read({ env: { INBOUND: 'a=b, c=d' } }), { ok: true, settings: { inbound: ['a=b', 'c=d'] } })
  assert.deepEqual(read({ file: { inbound: ['a=b', 1] } }), { ok: false, mistakes: ['inbound in the settings file: must be texts such as LISTEN=APP, not ["a=b",1]'] })
})
