// Twenty kinds of bad resource beside 200 good routes: 200 of 200 go on answering, and status names each culprit with its
// file and line.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { echo, edgeGateway, service, startLocalMesh } from '../support/local-mesh.ts'
import type { LocalMesh } from '../support/local-mesh.ts'

const routes = 200
const networking = 'networking.istio.io/v1'

const object = (kind: string, name: string, spec: string, apiVersion = networking): string =>
  `# a comment, so that the object does not begin at the top\napiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: { name: ${name} }\nspec: ${spec}\n`
const virtualService = (name: string, http: string, hosts = '[good-7.test]'): string => object('VirtualService', name, `{ hosts: ${hosts}, gateways: [edge], http: [${http}] }`)
const toWeb = 'route: [{ destination: { host: web } }]'

/** By name: what is wrong, and what status must say of it. */
const poisons: Readonly<Record<string, readonly [document: string, says: RegExp]>> = {
  'regex': [virtualService('regex', `{ match: [{ uri: { regex: "(" } }], ${toWeb} }`), /regex/],
  'unknown-field': [virtualService('unknown-field', `{ rout: [{ destination: { host: web } }] }`), /unknown field "rout"/],
  'two-actions': [virtualService('two-actions', `{ ${toWeb}, redirect: { uri: /x } }`), /redirect/],
  'header-name': [virtualService('header-name', `{ ${toWeb}, headers: { request: { set: { "a b": c } } } }`), /a b/],
  'no-weight': [virtualService('no-weight', '{ route: [{ destination: { host: web }, weight: 0 }, { destination: { host: web }, weight: 0 }] }'), /weight/],
  'redirect-code': [virtualService('redirect-code', '{ redirect: { uri: /x, redirectCode: 200 } }'), /redirectCode/],
  'negative-timeout': [virtualService('negative-timeout', `{ ${toWeb}, timeout: -1s }`), /timeout/],
  'abort-status': [virtualService('abort-status', `{ ${toWeb}, fault: { abort: { httpStatus: 99, percentage: { value: 100 } } } }`), /httpStatus/],
  'star-at-mesh': [object('VirtualService', 'star-at-mesh', `{ hosts: ["*"], http: [{ ${toWeb} }] }`), /hosts/],
  'wrong-type': [virtualService('wrong-type', `{ ${toWeb}, retries: 3 }`), /retries/],
  'no-host': [object('DestinationRule', 'no-host', '{ trafficPolicy: { loadBalancer: { simple: RANDOM } } }'), /host/],
  'same-subsets': [object('DestinationRule', 'same-subsets', '{ host: web, subsets: [{ name: a }, { name: a }] }'), /subsets/],
  'maglev': [object('DestinationRule', 'maglev', '{ host: web, trafficPolicy: { loadBalancer: { consistentHash: { useSourceIp: true, maglev: { tableSize: 10 } } } } }'), /tableSize/],
  'https-without-tls': [object('Gateway', 'https-without-tls', '{ selector: { istio: ingressgateway }, servers: [{ port: { number: 443, name: https, protocol: HTTPS }, hosts: ["*"] }] }'), /tls/],
  'gateway-host': [object('Gateway', 'gateway-host', '{ selector: { istio: ingressgateway }, servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: [short] }] }'), /hosts/],
  'dns-wildcard': [object('ServiceEntry', 'dns-wildcard', '{ hosts: ["*.example.com"], resolution: DNS, ports: [{ number: 80, name: http, protocol: HTTP }] }'), /endpoints|hosts/],
  'none-with-endpoints': [object('ServiceEntry', 'none-with-endpoints', '{ hosts: [a.example.com], resolution: NONE, endpoints: [{ address: 10.0.0.1 }], ports: [{ number: 80, name: http, protocol: HTTP }] }'), /endpoints/],
  'empty-sidecar': [object('Sidecar', 'empty-sidecar', '{}'), /./],
  'mtls-mode': [object('PeerAuthentication', 'mtls-mode', '{ mtls: { mode: MAYBE } }', 'security.istio.io/v1'), /mode/],
  'service-port': [object('Service', 'service-port', '{ selector: { app: web }, ports: [{ name: http, port: 70000 }] }', 'v1'), /port/],
}

const goodRoutes = Array.from({ length: routes }, (_, i) => `
apiVersion: ${networking}
kind: VirtualService
metadata: { name: good-${i} }
spec: { hosts: [good-${i}.test], gateways: [edge], http: [{ ${toWeb}, headers: { response: { set: { x-route: "${i}" } } } }] }
---`).join('')

async function answering(mesh: LocalMesh): Promise<number> {
  const replies = await Promise.all(Array.from({ length: routes }, (_, i) => mesh.get('/', { host: `good-${i}.test` })))
  return replies.filter(({ status, headers }, i) => status === 200 && headers['x-route'] === String(i)).length
}

const statusOf = (mesh: LocalMesh, name: string) =>
  mesh.mesh.control.state.board.resources.find(({ key, errors }) => errors.length > 0 && key.endsWith(`/${name}`))

test(`${Object.keys(poisons).length} kinds of poison beside ${routes} routes: all of them answer, and status names the culprit`, async () => {
  await using mesh = await startLocalMesh({ 'apps.yaml': echo('web') + service('web'), 'gateway.yaml': edgeGateway, 'routes.yaml': goodRoutes }, { watch: true })
  assert.equal(await answering(mesh), routes)
  for (const [name, [document, says]] of Object.entries(poisons)) {
    await mesh.folder.write(`mesh/poison/${name}.yaml`, document)
    await mesh.until(`a status of ${name}`, () => statusOf(mesh, name) !== undefined)
    const { errors, state, origin } = statusOf(mesh, name)!
    assert.equal(state, 'rejected', name)
    assert.match(errors.join('\n'), says)
    assert.ok(origin.file.endsWith(`poison/${name}.yaml`) && origin.line > 1, `${origin.file}:${origin.line}`)
    assert.equal(await answering(mesh), routes, `with ${name}`)
  }
  // What cannot be read at all has no name: the log says which file.
  await mesh.folder.write('mesh/poison/unreadable.yaml', 'kind: VirtualService\n  metadata: [')
  await mesh.untilSaid(/unreadable\.yaml/)
  assert.equal(await answering(mesh), routes)
  // And a good one beside them all is taken.
  await mesh.folder.write('mesh/late.yaml', virtualService('late', `{ ${toWeb} }`, '[late.test]'))
  await mesh.until('the late route', async () => (await mesh.get('/', { host: 'late.test' })).status === 200)
})
