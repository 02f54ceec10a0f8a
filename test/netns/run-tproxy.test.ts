// `sidecar.istio.io/interceptionMode` of a Process: with TPROXY it sees the addresses of its clients.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { netnsSkip } from '../support/capture-world.ts'
import { echo, service, startLocalMesh } from '../support/local-mesh.ts'
import { inside } from '../support/netns-mesh.ts'

const annotated = echo('seeing').replace('metadata: { name: seeing,', 'metadata: { name: seeing, annotations: { sidecar.istio.io/interceptionMode: TPROXY },')

describe('how traffic is taken, by annotation', { skip: netnsSkip }, () => {
  test('with TPROXY a workload sees its clients by their own addresses; otherwise its proxy calls it from 127.0.0.6', async () => {
    await using mesh = await startLocalMesh({ 'mesh.yaml': echo('client') + annotated + service('seeing') + echo('plain') + service('plain') }, { capture: 'netns' })
    const sourceAt = async (host: string): Promise<unknown> => JSON.parse((await inside(mesh, 'client', ['curl', '-sS', '-m', '10', `http://${host}/source`])).out)
    const own = (await inside(mesh, 'client', ['printenv', 'POD_IP'])).out
    const clientIp = own === '' ? (await inside(mesh, 'client', ['hostname', '-I'])).out.split(' ')[0] : own
    const seen = (await sourceAt('seeing')) as { source: string }
    assert.equal(seen.source.replace('::ffff:', ''), clientIp)
    const plain = (await sourceAt('plain')) as { source: string }
    assert.equal(plain.source.replace('::ffff:', ''), '127.0.0.6')
  })
})
