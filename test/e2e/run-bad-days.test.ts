// Bad days of `trysail run`: files that break while it runs, ports that others have, programs that do not start or die, routes
// to nowhere. What is well goes on, and what is not is said with file, line, resource and field.
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { createServer as createTcpServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { echo, edgeGateway, gatewayTo, service, startLocalMesh } from '../support/local-mesh.ts'
import type { LocalMesh } from '../support/local-mesh.ts'

const web = echo('web') + service('web')

async function taken() {
  const server = createTcpServer((socket) => socket.destroy())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const close = () => new Promise<void>((resolve) => void (server.listening ? server.close(() => resolve()) : resolve()))
  return { port: (server.address() as AddressInfo).port, close, [Symbol.asyncDispose]: close }
}

/** GETs in turn, from several clients, until it is stopped; resolves with what failed. */
function load(mesh: LocalMesh, path = '/') {
  let over = false
  let asked = 0
  const names = new Set<string>()
  const failed: string[] = []
  const client = async (): Promise<void> => {
    while (!over) {
      const { status, body } = await mesh.get(path)
      asked++
      if (status !== 200) failed.push(`${status} ${body}`)
      else names.add(String((JSON.parse(body) as Record<string, unknown>)['name']))
    }
  }
  const clients = Array.from({ length: 4 }, client)
  return {
    names,
    get asked() {
      return asked
    },
    async stop(): Promise<readonly string[]> {
      over = true
      await Promise.all(clients)
      return failed
    },
  }
}

const flagsOf = (mesh: LocalMesh, path: string): string | undefined => mesh.accessLog.map((line) => /"GET (\S+) HTTP\/1\.1" \d+ (\S+)/.exec(line)).find((found) => found?.[1] === path)?.[2]

test('a file that breaks while the mesh runs keeps its last good objects, says where it is broken, and counts again once repaired', async () => {
  const route = (status: number) => gatewayTo('web').replace('http: [{ route', `http: [{ match: [{ uri: { exact: /fixed } }], directResponse: { status: ${status} } }, { route`)
  await using mesh = await startLocalMesh({ 'web.yaml': web, 'edge.yaml': route(418) }, { watch: true })
  assert.equal((await mesh.get('/fixed')).status, 418)
  await mesh.folder.write('mesh/edge.yaml', 'apiVersion: networking.istio.io/v1\nkind: VirtualService\n  metadata: {')
  await mesh.untilSaid(/edge\.yaml:2:\d+: /)
  assert.equal((await mesh.get('/fixed')).status, 418)
  const held = mesh.mesh.control.state.board.resources.filter(({ state }) => state === 'held').map(({ key }) => key)
  assert.deepEqual(held.toSorted(), ['Gateway/default/edge', 'VirtualService/default/edge'])
  await mesh.edit(() => mesh.folder.write('mesh/edge.yaml', route(200)))
  assert.equal((await mesh.get('/fixed')).status, 200)
  assert.equal(mesh.mesh.control.state.board.resources.some(({ state }) => state === 'held'), false)
})

test('a kind that nobody knows and a field that does not exist are named by file and line; the rest serves', async () => {
  await using mesh = await startLocalMesh({
    'all.yaml': web + gatewayTo('web'),
    'typo.yaml': 'apiVersion: networking.istio.io/v1\nkind: VirtualServise\nmetadata: { name: typo }\nspec: {}\n',
    'field.yaml': 'apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: { name: field }\nspec:\n  host: web\n  trafficPolisy: {}\n',
  })
  assert.equal((await mesh.json('/'))['name'], 'web')
  assert.ok(mesh.lines.some((line) => /typo\.yaml:2:\d+: .*VirtualServise.*VirtualService/.test(line)), mesh.lines.join('\n'))
  assert.ok(mesh.lines.some((line) => /field\.yaml:6:\d+: DestinationRule\/default\/field: spec\.trafficPolisy: .*trafficPolicy/.test(line)), mesh.lines.join('\n'))
})

test("a gateway's port that somebody else has: said with the address and the Gateway, the other port serves, and it is bound once free", async () => {
  await using other = await taken()
  const second = gatewayTo('web').replace('hosts: ["*"] }] }', 'hosts: ["*"] }, { port: { number: 8080, name: http-2, protocol: HTTP }, hosts: ["*"] }] }')
  await using mesh = await startLocalMesh({ 'all.yaml': web + second }, { gatewayPorts: new Map([[80, other.port], [8080, 0]]) })
  assert.ok(mesh.lines.some((line) => new RegExp(`port already taken: 127\\.0\\.0\\.1:${other.port} wanted by Gateway default/edge`).test(line)), mesh.lines.join('\n'))
  assert.equal((await mesh.json('/', { port: 8080 }))['name'], 'web')
  await other.close()
  await mesh.untilSaid(/listening after all on/)
  assert.equal((await mesh.json('/', { port: 80 }))['name'], 'web')
})

test("a Process's hostPort that somebody else has: said with Process and file, the rest lives, and it starts once the port is free", async () => {
  await using other = await taken()
  const late = echo('late').replace('containerPort: 9080', `containerPort: 9080, hostPort: ${other.port}`) + service('late')
  await using mesh = await startLocalMesh({ 'all.yaml': web + gatewayTo('web'), 'late.yaml': late }, { ready: false })
  await mesh.untilSaid(new RegExp(`port already taken: 127\\.0\\.0\\.1:${other.port} wanted by Process default/late \\(.*late\\.yaml:2`))
  await mesh.until('web answers', async () => mesh.mesh.gateways.length === 1 && (await mesh.get('/')).status === 200)
  assert.match((await mesh.get('/via?service=LATE')).body, /"status":503/)
  await other.close()
  await mesh.until('late answers', async () => (await mesh.get('/via?service=LATE')).body.includes('"status":200'))
})

test('a program whose own port somebody else has is not taken for that one: it waits, and starts once the port is free', async (t) => {
  const other = createServer((_, response) => response.end('{"name":"a stranger"}'))
  t.after(() => other.close())
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  const port = String((other.address() as AddressInfo).port)
  await using mesh = await startLocalMesh({ 'all.yaml': echo('web', { env: { PORT: port } }) + service('web') + gatewayTo('web') }, { ready: false })
  await mesh.untilSaid(new RegExp(`web: .*port already taken: 127\\.0\\.0\\.1:${port}.*Process default/web`))
  await mesh.until('the gateway listens', () => mesh.mesh.gateways.length === 1)
  assert.equal((await mesh.get('/')).status, 503)
  other.closeAllConnections()
  await new Promise((resolve) => other.close(resolve))
  await mesh.until('web answers', async () => (await mesh.get('/')).status === 200)
  assert.equal((await mesh.json('/'))['name'], 'web')
})

test('a program that does not exist and one that exits at once: 503 UH, a clear line, pauses that grow, and the rest lives', async () => {
  const broken = (name: string, command: readonly string[]) => echo(name).replace(/command: \[.*?\]/, `command: ${JSON.stringify(command)}`) + service(name)
  await using mesh = await startLocalMesh({
    'web.yaml': web + gatewayTo('web'),
    'none.yaml': broken('none', ['no-such-program']),
    'exits.yaml': broken('exits', [process.execPath, '-e', 'console.error("cannot go on"); process.exit(3)']),
  }, { ready: false })
  await mesh.untilSaid(/none: cannot be started: no program "no-such-program".*; next start in 1 s/)
  await mesh.untilSaid(/exits: exited with code 3; next start in 1 s/)
  assert.ok(mesh.lines.includes('exits: cannot go on'))
  await mesh.until('web answers', async () => mesh.mesh.gateways.length === 1 && (await mesh.get('/')).status === 200)
  for (const name of ['NONE', 'EXITS']) {
    assert.deepEqual(JSON.parse((await mesh.get(`/via?service=${name}&path=/${name}`)).body), { status: 503, body: 'no healthy upstream' })
    assert.equal(flagsOf(mesh, `/${name}`), 'UH')
  }
})

test('routes to a host and to a subset that do not exist answer 503 NC, and validation of neither is needed to see it', async () => {
  const routes = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: nowhere }
spec:
  hosts: ["*"]
  gateways: [edge]
  http:
  - { match: [{ uri: { exact: /no-host } }], route: [{ destination: { host: nobody } }] }
  - { match: [{ uri: { exact: /no-subset } }], route: [{ destination: { host: web, subset: v9 } }] }
  - { route: [{ destination: { host: web } }] }
`
  await using mesh = await startLocalMesh({ 'web.yaml': web + edgeGateway, 'routes.yaml': routes })
  assert.equal((await mesh.json('/'))['name'], 'web')
  for (const path of ['/no-host', '/no-subset']) {
    assert.equal((await mesh.get(path)).status, 503)
    await mesh.until(`the access log of ${path}`, () => flagsOf(mesh, path) !== undefined)
    assert.equal(flagsOf(mesh, path), 'NC')
  }
})

test('of two Processes with one name the first stands, and the second is named with its place', async () => {
  await using mesh = await startLocalMesh({
    'a.yaml': echo('web', { env: { VERSION: 'first' } }) + service('web') + gatewayTo('web'),
    'b.yaml': echo('web', { env: { VERSION: 'second' } }),
  })
  assert.equal((await mesh.json('/'))['version'], 'first')
  assert.ok(mesh.lines.some((line) => /b\.yaml:\d+:\d+: .*Process web in namespace default is there already, at .*a\.yaml:\d+/.test(line)), mesh.lines.join('\n'))
})

const pair = (env: Readonly<Record<string, string>> = {}): Record<string, string> => ({
  'one.yaml': echo('one', { labels: { app: 'web' }, env }), 'two.yaml': echo('two', { labels: { app: 'web' } }),
  'rest.yaml': service('web') + gatewayTo('web'),
})

test('a process that is killed under load costs no GET while it has a sibling, and comes back by itself', async () => {
  await using mesh = await startLocalMesh(pair())
  const clients = load(mesh)
  await mesh.until('both answer', () => clients.names.size === 2)
  const pid = mesh.pidOf('one')
  process.kill(pid, 'SIGKILL')
  await mesh.untilSaid(/one: was ended by SIGKILL; next start in 0\.1 s/)
  await mesh.until('it is back', () => mesh.mesh.processes.some((one) => one.name === 'one' && one.state === 'ready' && one.pid !== pid))
  clients.names.clear()
  await mesh.until('both answer again', () => clients.names.size === 2)
  assert.deepEqual(await clients.stop(), [])
})

test('an edit of a Process starts it afresh without a failed request while it has a sibling; a removed file ends it likewise', async () => {
  await using mesh = await startLocalMesh(pair(), { watch: true })
  const clients = load(mesh)
  await mesh.until('both answer', () => clients.names.size === 2)
  const [before, sibling] = [mesh.pidOf('one'), mesh.pidOf('two')]
  await mesh.folder.write('mesh/one.yaml', pair({ VERSION: 'edited' })['one.yaml']!)
  await mesh.until('it runs afresh', async () => (await mesh.json('/'))['version'] === 'edited')
  assert.notEqual(mesh.pidOf('one'), before)
  await mesh.folder.remove('mesh/one.yaml')
  await mesh.until('it is gone', () => !mesh.mesh.processes.some(({ name }) => name === 'one'))
  clients.names.clear()
  await mesh.until('only its sibling answers', async () => (await mesh.json('/'))['name'] === 'two' && clients.names.size === 1)
  assert.equal(mesh.pidOf('two'), sibling)
  assert.deepEqual(await clients.stop(), [])
})

test('a folder that is deleted as a whole keeps serving what it had; without --watch nothing that happens to files matters', async () => {
  for (const watch of [true, false]) {
    await using mesh = await startLocalMesh({ 'all.yaml': web + gatewayTo('web') }, { watch })
    const { pid } = await mesh.json('/')
    if (!watch) await mesh.folder.write('mesh/more.yaml', echo('more'))
    await mesh.folder.remove('mesh')
    if (watch) await mesh.untilSaid(/mesh/)
    else await new Promise((resolve) => setTimeout(resolve, 1200)) // longer than the watcher's look at everything
    assert.equal((await mesh.json('/'))['pid'], pid)
    assert.deepEqual(mesh.mesh.processes.map(({ name }) => name), ['web'])
  }
})
