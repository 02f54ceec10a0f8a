// Certificates that must let nobody in, at a real sidecar: each is refused, counted, written down with its reason, and the
// program never hears of it.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { readFile, readdir, writeFile } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { connect as connectTcp } from 'node:net'
import { after, before, test } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { findRunning } from '../../src/cli/running.ts'
import { createAuthority } from '../support/certificates.ts'
import { jsonLines } from '../support/json-lines.ts'
import { echo, service, startLocalMesh } from '../support/local-mesh.ts'
import type { LocalMesh } from '../support/local-mesh.ts'
import { TempFolder } from '../support/temp-folder.ts'

const runtime = await TempFolder.create()
process.env['XDG_RUNTIME_DIR'] = runtime.path

const strict = 'apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: { name: default }\nspec: { mtls: { mode: STRICT } }\n'
let world: LocalMesh
let forge: Forge

interface Shown {
  readonly cert: string
  readonly key: string
}

/** Signs with the mesh's own root, which no attacker has: what is refused is refused for what the certificate says. */
class Forge {
  readonly folder: TempFolder
  #count = 0
  #made = 0

  constructor(folder: TempFolder) {
    this.folder = folder
  }

  static async create(state: string): Promise<Forge> {
    const folder = await TempFolder.create()
    const [cert, key] = await Promise.all([pemIn(state, 'CERTIFICATE'), pemIn(state, 'PRIVATE KEY')])
    await Promise.all([writeFile(folder.at('root.pem'), cert), writeFile(folder.at('root.key'), key)])
    return new Forge(folder)
  }

  issue(names: string, { issuer = 'root', from = -1, to = 1, more = '' }: { issuer?: string; from?: number; to?: number; more?: string } = {}): Shown {
    const name = `leaf${this.#count++}`
    this.make(name, issuer, { extensions: `${names === '' ? '' : `subjectAltName=${names}\n`}extendedKeyUsage=serverAuth,clientAuth\n${more}`, from, to })
    const read = (file: string): string => readFileSync(this.folder.at(file), 'utf8')
    return { cert: read(`${name}.pem`) + (issuer === 'root' ? '' : read(`${issuer}.pem`)), key: read(`${name}.key`) }
  }

  make(name: string, issuer: string, { extensions, from, to }: { readonly extensions: string; readonly from: number; readonly to: number }): void {
    const run = (...args: string[]): unknown => execFileSync('openssl', args, { cwd: this.folder.path, stdio: 'pipe' })
    writeFileSync(this.folder.at(`${name}.ext`), extensions)
    run('req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/O=${name}`)
    const date = (days: number): string => new Date(Date.now() + days * 86_400_000).toISOString().replace(/[-:T]/g, '').slice(0, 14) + 'Z'
    writeFileSync(this.folder.at('index.txt'), '')
    writeFileSync(this.folder.at('serial'), String(1000 + this.#made++))
    writeFileSync(this.folder.at('ca.cnf'), '[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\nserial=serial\nnew_certs_dir=.\ndefault_md=sha256\npolicy=p\n[p]\norganizationName=optional\n')
    run('ca', '-batch', '-config', 'ca.cnf', '-cert', `${issuer}.pem`, '-keyfile', `${issuer}.key`, '-in', `${name}.csr`, '-out', `${name}.pem`, '-notext', '-extfile', `${name}.ext`, '-startdate', date(from), '-enddate', date(to))
  }
}

async function pemIn(state: string, what: string): Promise<string> {
  for (const name of await readdir(`${state}/ca`, { recursive: true })) {
    const text = await readFile(`${state}/ca/${name}`, 'utf8').catch(() => '')
    if (text.includes(`BEGIN ${what}`) || (what === 'PRIVATE KEY' && /BEGIN (EC )?PRIVATE KEY/.test(text))) return text
  }
  return assert.fail(`no ${what} in ${state}/ca`)
}

before(async () => {
  world = await startLocalMesh({ 'mesh.yaml': echo('back') + service('back'), 'strict.yaml': strict })
  forge = await Forge.create(world.folder.at('state'))
  forge.make('narrow', 'root', { extensions: 'basicConstraints=critical,CA:true\nnameConstraints=critical,permitted;URI:other.example\n', from: -1, to: 1 })
  forge.make('wide', 'root', { extensions: 'basicConstraints=critical,CA:true\n', from: -1, to: 1 })
})

after(async () => {
  await world[Symbol.asyncDispose]()
  await forge.folder[Symbol.asyncDispose]()
  await runtime[Symbol.asyncDispose]()
})

const web = 'URI:spiffe://cluster.local/ns/default/sa/web'

function port(): number {
  return Number(world.mesh.processes.find(({ name }) => name === 'back')!.inbound[0]!.split(':')[1])
}

/** What comes back for a request: the status line, or nothing. */
function answerOn(socket: Socket): Promise<string> {
  let text = ''
  socket.on('data', (bytes: Buffer) => (text += bytes.toString('latin1'))).on('error', () => socket.destroy())
  socket.setTimeout(10_000, () => socket.destroy())
  return new Promise((resolve) => socket.on('close', () => resolve(text.split('\r\n')[0]!)))
}

function ask(shown: Partial<Shown>): Promise<string> {
  const socket = connectTls({ port: port(), host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols: ['istio-http/1.1'], ...shown })
  socket.write('GET /env HTTP/1.1\r\nhost: back\r\nconnection: close\r\n\r\n')
  return answerOn(socket)
}

async function refused(): Promise<number> {
  const { admin } = findRunning().flatMap(({ proxies }) => proxies).find(({ name }) => name === 'back')!
  return Number(/handshake_failed: (\d+)/.exec(await (await fetch(`http://127.0.0.1:${admin.port}/stats`)).text())?.[1])
}

const lastRefusal = (): string => {
  const events = jsonLines<Record<string, unknown>>(world.folder.at('state/audit.log'))
  return String(events.findLast(({ event }) => event === 'handshake-refused')?.['detail'])
}

const cases: readonly (readonly [title: string, shown: () => Partial<Shown>, reason: RegExp])[] = [
  ['none at all', () => ({}), /peer did not return a certificate/],
  ['expired', () => forge.issue(web, { from: -3, to: -1 }), /expired/],
  ['not yet valid', () => forge.issue(web, { from: 1, to: 2 }), /not yet valid/],
  ['of another trust domain', () => forge.issue('URI:spiffe://evil.example/ns/default/sa/web'), /evil\.example.* is not accepted here/],
  ['of a trust domain that only begins like ours', () => forge.issue('URI:spiffe://cluster.local.evil.example/ns/default/sa/web'), /is not accepted here/],
  ['without any name', () => forge.issue(''), /a certificate without names is not accepted here/],
  ['with a DNS name only', () => forge.issue('DNS:cluster.local'), /cluster\.local is not accepted here/],
  ['with our name as DNS', () => forge.issue('DNS:web.default.svc.cluster.local'), /is not accepted here/],
  ['of a CA that may not vouch for the name', () => forge.issue(web, { issuer: 'narrow' }), /permitted subtree violation/],
  ['signed by a workload', () => {
    forge.make('workload', 'root', { extensions: `subjectAltName=${web}\nbasicConstraints=CA:false\n`, from: -1, to: 1 })
    return forge.issue(web, { issuer: 'workload' })
  }, /invalid CA certificate|unable to verify|unsuitable|issuer/i],
  ['for servers only', serverOnly, /unsuitable certificate purpose|unsupported certificate purpose/],
  ['of a root of its own', () => {
    const { chain, key } = createAuthority('evil').issue(web)
    return { cert: chain, key }
  }, /unable to|self.signed|issuer/i],
]

function serverOnly(): Shown {
  forge.make('server', 'root', { extensions: `subjectAltName=${web}\nextendedKeyUsage=serverAuth\n`, from: -1, to: 1 })
  return { cert: readFileSync(forge.folder.at('server.pem'), 'utf8'), key: readFileSync(forge.folder.at('server.key'), 'utf8') }
}

test('a certificate of the mesh comes in, also by an intermediate CA', async () => {
  assert.equal(await ask(forge.issue(web)), 'HTTP/1.1 200 OK')
  assert.equal(await ask(forge.issue(web, { issuer: 'wide' })), 'HTTP/1.1 200 OK')
})

for (const [title, shown, reason] of cases) {
  test(`a client certificate ${title} lets nobody in: refused, counted, and the reason is written down`, async () => {
    const sofar = await refused()
    assert.equal(await ask(shown()), '')
    await world.until('it is counted', async () => (await refused()) === sofar + 1)
    await world.until('it is written down', () => reason.test(lastRefusal()))
  })
}

test('bytes that are no handshake, cut off or broken in the middle, end their own connection', async () => {
  const hello = Buffer.from('16030100c8010000c40303', 'hex')
  for (const bytes of [hello, Buffer.concat([hello, Buffer.alloc(200, 0xff)]), Buffer.from('1603010005ffffffffff', 'hex'), Buffer.from('15030300020100', 'hex')]) {
    const socket = connectTcp(port(), '127.0.0.1')
    const answer = answerOn(socket)
    socket.end(bytes)
    assert.doesNotMatch(await answer, /HTTP/)
  }
  assert.equal(await ask(forge.issue(web)), 'HTTP/1.1 200 OK')
})
