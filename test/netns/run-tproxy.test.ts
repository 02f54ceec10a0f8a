// `interceptionMode` of the mesh, and of a Process by its annotations: with TPROXY it sees the addresses of its clients.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { netnsSkip } from '../support/capture-world.ts'
import { leavesNothing } from '../support/leaves-nothing.ts'
import { echo, service, startLocalMesh } from '../support/local-mesh.ts'
import { inside } from '../support/netns-mesh.ts'

leavesNothing()

const mesh = `apiVersion: v1
kind: ConfigMap
metadata: { name: istio, namespace: istio-system }
data: { mesh: "defaultConfig: { interceptionMode: TPROXY }" }
---
`
const annotated = (name: string, annotation: string): string => echo(name).replace(`metadata: { name: ${name},`, `metadata: { name: ${name}, annotations: { ${annotation} },`)
const workloads = annotated('client', 'sidecar.istio.io/interceptionMode: REDIRECT') + echo('seeing') + service('seeing') + annotated('plain', 'proxy.istio.io/config: "interceptionMode: REDIRECT"') + service('plain')

describe('how traffic is taken, by the mesh and by annotation', { skip: netnsSkip }, () => {
  test('with TPROXY a workload sees its clients by their own addresses; otherwise its proxy calls it from 127.0.0.6', async () => {
    await using running = await startLocalMesh({ 'mesh.yaml': mesh + workloads }, { capture: 'netns' })
    const sourceAt = async (host: string): Promise<unknown> => JSON.parse((await inside(running, 'client', ['curl', '-sS', '-m', '10', `http://${host}/source`])).out)
    const own = (await inside(running, 'client', ['printenv', 'POD_IP'])).out
    const clientIp = own === '' ? (await inside(running, 'client', ['hostname', '-I'])).out.split(' ')[0] : own
    const seen = (await sourceAt('seeing')) as { source: string }
    assert.equal(seen.source.replace('::ffff:', ''), clientIp)
    const plain = (await sourceAt('plain')) as { source: string }
    assert.equal(plain.source.replace('::ffff:', ''), '127.0.0.6')
  })
})
