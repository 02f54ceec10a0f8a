import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lifeOf } from './life.ts'

const usual = { replacedMs: undefined, interceptionMode: undefined }
const annotated = (config: string) => ({ annotations: { 'proxy.istio.io/config': config }, graceMs: 10_000 })

test('how a Process begins and ends: its annotation before the mesh, the mesh before what is usual here', () => {
  assert.deepEqual(lifeOf({ annotations: {}, graceMs: 10_000 }, undefined), { ...usual, holds: true, drainMs: 10_000 })
  const mesh = { defaultConfig: { holdApplicationUntilProxyStarts: false, terminationDrainDuration: 3_000 } } as Parameters<typeof lifeOf>[1]
  assert.deepEqual(lifeOf({ annotations: {}, graceMs: 10_000 }, mesh), { ...usual, holds: false, drainMs: 3_000 })
  assert.deepEqual(lifeOf(annotated('holdApplicationUntilProxyStarts: true'), mesh), { ...usual, holds: true, drainMs: 3_000 })
  assert.deepEqual(lifeOf(annotated('terminationDrainDuration: 1m'), mesh), { ...usual, holds: false, drainMs: 60_000 })
  assert.deepEqual(lifeOf(annotated('{ interceptionMode: TPROXY, drainDuration: 1s }'), undefined), { holds: true, drainMs: 10_000, replacedMs: 1_000, interceptionMode: 'TPROXY' })
})
