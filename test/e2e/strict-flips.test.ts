// Turning STRICT on and off, and mutual TLS itself, while the mesh is busy: clients of the mesh never notice.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HttpLoad, request } from '../support/http-load.ts'
import { echo, gatewayTo, service, startLocalMesh } from '../support/local-mesh.ts'
import type { LocalMesh } from '../support/local-mesh.ts'

const policy = (mode: string): string => `apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: { name: default, namespace: istio-system }\nspec: { mtls: { mode: ${mode} } }\n`

interface Busy extends AsyncDisposable {
  readonly world: LocalMesh
  readonly load: HttpLoad
  /** Requests of the gateway, and those of one program to the other, that failed. */
  failures(): readonly string[]
}

/** A gateway, two programs, and traffic from one to the other. */
async function busyMesh(): Promise<Busy> {
  const world = await startLocalMesh({ 'mesh.yaml': echo('web') + service('web') + echo('back') + service('back') + gatewayTo('web') }, { watch: true })
  const { host, port } = world.gatewayAt()
  const between: string[] = []
  const load = new HttpLoad([`http://${host}:${port}/env`, `http://${host}:${port}/via?service=BACK`], {
    onAnswer: ({ body }) => {
      const { status } = JSON.parse(body) as { readonly status?: number }
      if (status !== undefined && status !== 200) between.push(body)
    },
  })
  return {
    world, load,
    failures: () => [...load.failures, ...between],
    async [Symbol.asyncDispose]() {
      await load.stop()
      await world[Symbol.asyncDispose]()
    },
  }
}

test('PERMISSIVE to STRICT and back, again and again under load: no request of the mesh fails', { timeout: 90_000 }, async () => {
  await using busy = await busyMesh()
  const { world, load } = busy
  for (let flip = 0; flip < 5; flip++) {
    for (const mode of ['STRICT', 'PERMISSIVE']) {
      await load.more(20)
      await world.edit(() => world.folder.write('mesh/policy.yaml', policy(mode)))
    }
  }
  await load.more(20)
  await load.stop()
  assert.deepEqual(busy.failures(), [])
})

/** `FLIPS=50` for a long look. */
const settledFlips = Number(process.env['FLIPS'] ?? 6)

test('STRICT to DISABLE and back under load, each when the one before has arrived: no request of the mesh fails', { timeout: 60_000 + settledFlips * 5000 }, async () => {
  await using busy = await busyMesh()
  const { world, load } = busy
  for (let flip = 0; flip < settledFlips; flip++) {
    await load.more(20)
    await world.edit(() => world.folder.write('mesh/policy.yaml', policy(flip % 2 === 0 ? 'STRICT' : 'DISABLE')))
  }
  await load.more(20)
  await load.stop()
  assert.deepEqual(busy.failures(), [])
})

test('fifty flips between DISABLE, STRICT and PERMISSIVE that wait for nobody: no request of the mesh fails, and the last one holds', { timeout: 90_000 }, async () => {
  await using busy = await busyMesh()
  const { world, load } = busy
  const modes = ['DISABLE', 'STRICT', 'DISABLE', 'PERMISSIVE']
  for (let flip = 0; flip < 50; flip++) {
    await load.more(5)
    await world.folder.write('mesh/policy.yaml', policy(modes[flip % modes.length]!))
  }
  await world.edit(() => world.folder.write('mesh/policy.yaml', policy('STRICT')))
  await load.more(20)
  await load.stop()
  assert.deepEqual(busy.failures(), [])
  const [inbound = ''] = world.mesh.processes.find(({ name }) => name === 'back')!.inbound
  await assert.rejects(request(`http://${inbound}/env`), 'plaintext is refused')
})
