// Holds every golden case against the real Envoy: its own validation must take what translation makes, whole and without a
// warning. Runs where there is an Envoy (test/interop/envoy-binary.ts).
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { JsonObject, JsonValue } from '@bufbuild/protobuf'
import { createSnapshot } from '../../src/control/snapshot.ts'
import { dump } from '../../src/control/translate/dump.ts'
import type { Dump } from '../../src/control/translate/dump.ts'
import { findEnvoy } from '../interop/envoy-binary.ts'
import { loadCase } from './load.ts'

const { path: envoy, missing } = findEnvoy()
const folder = join(import.meta.dirname, 'translate')
const scratch = mkdtempSync(join(tmpdir(), 'trysail-envoy-'))
after(() => rmSync(scratch, { recursive: true, force: true }))

/** What Envoy says of its own bootstrap here. */
const ofItself = /no configured limit to the number of allowed active|overload manager/

for (const file of readdirSync(folder).filter((name) => name.endsWith('.in.yaml')).sort()) {
  const name = file.slice(0, -'.in.yaml'.length)
  test(`Envoy takes ${name.replaceAll('-', ' ')}`, { skip: missing ?? false }, () => {
    const { node, world } = loadCase(readFileSync(join(folder, file), 'utf8'))
    const path = join(scratch, `${name}.json`)
    writeFileSync(path, JSON.stringify(bootstrap(dump(node, createSnapshot(world), (problem) => assert.fail(problem.message)))))
    const { status, stderr } = spawnSync(envoy!, ['--mode', 'validate', '-c', path, '-l', 'warning'], { stdio: ['ignore', 'ignore', 'pipe'], encoding: 'utf8', timeout: 60_000 })
    assert.equal(status, 0, stderr)
    assert.deepEqual(stderr.split('\n').filter((line) => line !== '' && !ofItself.test(line)), [])
  })
}

/** Static resources with the route tables in place, since validation waits for no server. */
function bootstrap(resources: Dump): JsonObject {
  const tables = new Map(resources.routes.map((table) => [(table as JsonObject)['name'], table]))
  const own = ['sds-grpc', 'xds-grpc'].map((name) => ({
    name, type: 'STATIC', connect_timeout: '1s',
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: '127.0.0.1', port_value: 1 } } } }] }] },
  }))
  const server = { api_type: 'GRPC', transport_api_version: 'V3', grpc_services: [{ envoy_grpc: { cluster_name: 'xds-grpc' } }] }
  return {
    node: { id: 'golden', cluster: 'golden' },
    dynamic_resources: { ads_config: server },
    static_resources: { clusters: [...resources.clusters, ...own], listeners: resources.listeners.map((one) => inlined(one, tables)) },
  }
}

function inlined(value: JsonValue, tables: ReadonlyMap<JsonValue | undefined, JsonValue>): JsonValue {
  if (Array.isArray(value)) return value.map((one) => inlined(one, tables))
  if (typeof value !== 'object' || value === null) return value
  const { rds, ...rest } = value
  const named = rds === undefined ? {} : { route_config: tables.get((rds as JsonObject)['route_config_name'])! }
  return { ...Object.fromEntries(Object.entries(rest).map(([key, one]) => [key, inlined(one, tables)])), ...named }
}
