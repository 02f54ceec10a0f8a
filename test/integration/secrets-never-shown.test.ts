// Key material and tokens, wherever a mesh shows something: debug pages, admin pages, dumps, logs, the audit log, what the
// command line prints. Looked for as it is, in base64, and as the body of a PEM.
import assert from 'node:assert/strict'
import { readFile, readdir } from 'node:fs/promises'
import { request } from 'node:http'
import { after, test } from 'node:test'
import { createBootstrapTokens } from '../../src/control/ca/tokens.ts'
import { main } from '../../src/cli/main.ts'
import { findRunning } from '../../src/cli/running.ts'
import type { Address } from '../../src/model/address.ts'
import { formatAddress } from '../../src/model/address.ts'
import { captureIo } from '../support/capture-io.ts'
import { createAuthority } from '../support/certificates.ts'
import { echo, service, startLocalMesh } from '../support/local-mesh.ts'
import type { LocalMesh } from '../support/local-mesh.ts'
import { TempFolder } from '../support/temp-folder.ts'

const runtime = await TempFolder.create()
process.env['XDG_RUNTIME_DIR'] = runtime.path
after(() => runtime[Symbol.asyncDispose]())

const edge = createAuthority('edge').issue('DNS:shop.example')

const files = {
  'mesh.yaml': echo('web') + service('web'),
  'secret.yaml': `
apiVersion: v1
kind: Secret
metadata: { name: edge-cert, namespace: istio-system }
type: kubernetes.io/tls
stringData:
  tls.crt: ${JSON.stringify(edge.chain)}
  tls.key: ${JSON.stringify(edge.key)}
---
apiVersion: v1
kind: Secret
metadata: { name: password, namespace: default }
data: { password: ${Buffer.from('correct-horse-battery').toString('base64')} }
`,
  'gateway.yaml': `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: edge }
spec: { selector: { istio: ingressgateway }, servers: [{ port: { number: 443, name: https, protocol: HTTPS }, hosts: [shop.example], tls: { mode: SIMPLE, credentialName: edge-cert } }] }
`,
}

/** A piece of each secret, in every form in which it could be shown. */
async function needles(mesh: LocalMesh): Promise<readonly string[]> {
  const bodyOf = (pem: string): string => pem.split('\n')[1]!
  const tokens = await createBootstrapTokens({ stateDir: mesh.folder.at('state') })
  const token = tokens.create({ trustDomain: 'cluster.local', namespace: 'default', serviceAccount: 'default' }, 60_000)
  const ca = await readFile(mesh.folder.at('state/ca/key.pem'), 'utf8').catch(async () => await keyBelow(mesh.folder.at('state/ca')))
  const secret = (await readFile(mesh.folder.at('state/tokens/secret'), 'utf8')).trim()
  const plain = ['PRIVATE KEY', bodyOf(edge.key), bodyOf(ca), 'correct-horse-battery', secret, token.slice(0, token.indexOf('.') + 1)]
  const encoded = [edge.key, ca, 'correct-horse-battery', secret].map((text) => Buffer.from(text).toString('base64').slice(0, 28))
  return [...plain, ...encoded]
}

async function keyBelow(folder: string): Promise<string> {
  for (const name of await readdir(folder)) {
    const text = await readFile(`${folder}/${name}`, 'utf8')
    if (text.includes('PRIVATE KEY')) return text
  }
  return assert.fail(`no key in ${folder}`)
}

async function pageOf(at: Address, path: string): Promise<string> {
  return await (await fetch(`http://${formatAddress(at)}${path}`)).text()
}

/** Every page that a server lists, with every detail. */
async function allPages(at: Address, list: string): Promise<readonly (readonly [string, string])[]> {
  const paths = [...new Set((await pageOf(at, list)).match(/\/[a-z_/]+/g))]
  assert.ok(paths.length > 8, paths.join(' '))
  const asked = [...paths, '/config_dump?include_eds', '/stats?format=json', '/debug/config_dump?proxyID=web.default']
  return await Promise.all(asked.map(async (path) => [path, await pageOf(at, path)] as const))
}

async function printed(...args: string[]): Promise<readonly [string, string]> {
  const io = captureIo()
  await main(args, io)
  return [args.join(' '), io.out() + io.err()]
}

test('no key, no password and no token is in a page, a dump, a log or an answer of the command line', async () => {
  await using mesh = await startLocalMesh(files)
  await mesh.until('the gateway has its certificate', async () => {
    const dumps = await Promise.all(findRunning().flatMap(({ proxies: all }) => all).map(({ admin }) => pageOf(admin, '/config_dump?resource=dynamic_active_secrets')))
    return dumps.some((dump) => dump.includes('kubernetes://edge-cert') && dump.includes('inline_bytes'))
  })
  const [{ debug, proxies }] = findRunning() as [NonNullable<ReturnType<typeof findRunning>[0]>]
  const shown: (readonly [string, string])[] = [...await allPages(debug!, '/debug')]
  for (const { name, namespace, admin } of proxies) {
    shown.push(...await allPages(admin, '/help'))
    for (const type of ['secrets', 'listeners', 'clusters']) shown.push(await printed('proxy-config', type, `${name}.${namespace}`, '-o', 'json'))
  }
  const mine = mesh.folder.at('mesh')
  shown.push(
    await printed('xds', 'dump', '-f', mine, '--proxy', 'web', '-o', 'json'), await printed('validate', mine), await printed('proxy-status', '-o', 'json'),
    await printed('explain', '-f', mine, '--from', 'web', '--request', 'GET http://web/', '-o', 'json'),
    ['log', mesh.lines.join('\n')], ['access log', mesh.accessLog.join('\n')], ['audit log', await readFile(mesh.folder.at('state/audit.log'), 'utf8')],
  )
  assert.ok(shown.some(([path, text]) => path === '/debug/configz' && text.includes('[redacted]')))
  const found = (await needles(mesh)).flatMap((needle) => shown.filter(([, text]) => text.includes(needle)).map(([where]) => `${where} shows ${needle.slice(0, 12)}...`))
  assert.deepEqual(found, [])
})

test('the debug pages are for loopback: a page in a browser cannot reach them by a name of its own', async () => {
  await using mesh = await startLocalMesh({ 'mesh.yaml': echo('web') })
  const { port } = mesh.mesh.control.debug
  const status = (host: string) => new Promise<number>((resolve, reject) => {
    request({ host: '127.0.0.1', port, path: '/debug/configz', headers: { host } }, (answer) => resolve(answer.resume().statusCode ?? 0)).on('error', reject).end()
  })
  assert.equal(await status(`localhost:${port}`), 200)
  assert.equal(await status(`127.0.0.1:${port}`), 200)
  assert.equal(await status('rebound.example'), 403)
  assert.equal(await status(`127.0.0.1.rebound.example:${port}`), 403)
})
