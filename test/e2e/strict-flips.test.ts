// Turning STRICT on and off again while the mesh is busy: clients of the mesh never notice.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HttpLoad } from '../support/http-load.ts'
import { echo, gatewayTo, service, startLocalMesh } from '../support/local-mesh.ts'

const policy = (mode: string): string => `apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: { name: default, namespace: istio-system }\nspec: { mtls: { mode: ${mode} } }\n`
const flips = 5

test('PERMISSIVE to STRICT and back, again and again under load: no request of the mesh fails', { timeout: 90_000 }, async () => {
  await using world = await startLocalMesh({ 'mesh.yaml': echo('web') + service('web') + echo('back') + service('back') + gatewayTo('web') }, { watch: true })
  const { host, port } = world.gatewayAt()
  const between: string[] = []
  await using load = new HttpLoad([`http://${host}:${port}/env`, `http://${host}:${port}/via?service=BACK`], {
    onAnswer: ({ body }) => {
      const { status } = JSON.parse(body) as { readonly status?: number }
      if (status !== undefined && status !== 200) between.push(body)
    },
  })
  for (let flip = 0; flip < flips; flip++) {
    for (const mode of ['STRICT', 'PERMISSIVE']) {
      await load.more(20)
      await world.edit(() => world.folder.write('mesh/policy.yaml', policy(mode)))
    }
  }
  await load.more(20)
  await load.stop()
  assert.deepEqual([load.failures, between], [[], []])
})
