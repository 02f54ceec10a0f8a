// Databases and brokers that nobody here wrote, with their own clients, through two sidecars with mutual TLS: on ports whose
// names declare TCP, and on ports that declare nothing, where Redis, PostgreSQL and MQTT let the client speak first and NATS does not.
import assert from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { connect as connectNats } from 'nats'
import { startLocalMesh } from '../support/local-mesh.ts'
import type { LocalMesh } from '../support/local-mesh.ts'

const run = promisify(execFile)

/** Where Debian keeps what is not on everybody's path. */
const places = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', ...globSync('/usr/lib/postgresql/*/bin')]
const find = (program: string): string | undefined => places.map((place) => join(place, program)).find((path) => existsSync(path))

const folder = mkdtempSync(join(tmpdir(), 'trysail-services-'))
after(() => rmSync(folder, { recursive: true, force: true }))

/** A program of its own behind a Service with two ports for it: one that declares TCP, one that declares nothing. */
const served = (name: string, command: string, env = ''): string => `
apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: default }
spec: { selector: { app: ${name} }, ports: [{ name: tcp, port: 1001, targetPort: ${name} }, { name: main, port: 1002, targetPort: ${name} }] }
---
apiVersion: trysail.dev/v1
kind: Process
metadata: { name: ${name}, namespace: default, labels: { app: ${name} } }
spec: { command: [sh, -c, ${JSON.stringify(command)}], ports: [{ name: ${name}, containerPort: 7000 }]${env} }
---
`

/** Nothing but its environment is of interest: where its sidecar has put each service. */
const client = `
apiVersion: trysail.dev/v1
kind: Process
metadata: { name: client, namespace: default }
spec: { command: [sh, -c, ${JSON.stringify(`env > ${folder}/env.new && mv ${folder}/env.new ${folder}/env && exec sleep 3600`)}] }
`

const strict = `---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default, namespace: istio-system }
spec: { mtls: { mode: STRICT } }
`

async function meshWith(service: string): Promise<LocalMesh> {
  rmSync(join(folder, 'env'), { force: true })
  const mesh = await startLocalMesh({ 'all.yaml': service + client + strict })
  await mesh.until('the client knows its environment', () => existsSync(join(folder, 'env')))
  return mesh
}

/** Of the client's sidecar, for the port of `name` that declares TCP, and for the one that declares nothing. */
function addressesOf(name: string): readonly { readonly declared: string; readonly host: string; readonly port: number }[] {
  const env = new Map(readFileSync(join(folder, 'env'), 'utf8').split('\n').map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]))
  const service = name.toUpperCase()
  return ['TCP', 'MAIN'].map((port) => ({
    declared: port === 'TCP' ? 'declared as TCP' : 'not declared', host: env.get(`${service}_SERVICE_HOST`)!, port: Number(env.get(`${service}_SERVICE_PORT_${port}`)),
  }))
}

/** As somebody who may run it: PostgreSQL refuses to be root. */
const asNobody = process.getuid?.() === 0 ? 'setpriv --reuid 65534 --regid 65534 --clear-groups ' : ''

describe('Redis', { skip: find('redis-server') !== undefined && find('redis-cli') !== undefined ? false : 'no redis-server here (apt-get install redis-server)' }, () => {
  let mesh: LocalMesh
  before(async () => {
    mesh = await meshWith(served('redis', `exec redis-server --port $PORT --bind 127.0.0.1 --save '' --dir ${folder}`))
  })
  after(() => mesh[Symbol.asyncDispose]())

  test('commands, a pipeline of ten thousand and a value of 8 MB pass, whether the port is declared or not', async () => {
    for (const { declared, host, port } of addressesOf('redis')) {
      const cli = async (args: readonly string[], input = ''): Promise<string> => {
        const running = run('redis-cli', ['-h', host, '-p', String(port), ...args], { maxBuffer: 32 * 2 ** 20 })
        running.child.stdin!.end(input)
        return (await running).stdout.trim()
      }
      assert.equal(await cli(['PING']), 'PONG', declared)
      assert.equal(await cli(['SET', 'key', 'value']), 'OK')
      assert.equal(await cli(['GET', 'key']), 'value')
      const commands = Array.from({ length: 10_000 }, (_, i) => `SET k${i} ${i}\r\n`).join('')
      assert.match(await cli(['--pipe'], commands), /errors: 0, replies: 10000/)
      const big = 'x'.repeat(8 * 2 ** 20)
      assert.equal(await cli(['-x', 'SET', 'big'], big), 'OK')
      assert.equal((await cli(['GET', 'big'])).length, big.length)
    }
  })
})

describe('PostgreSQL', { skip: find('initdb') !== undefined && find('psql') !== undefined ? false : 'no PostgreSQL here (apt-get install postgresql)' }, () => {
  let mesh: LocalMesh
  before(async () => {
    const bin = dirname(find('initdb')!)
    const data = join(folder, 'pg')
    execFileSync('sh', ['-c', `mkdir ${data} && chmod 755 ${folder} && ${asNobody === '' ? '' : `chown 65534 ${data} &&`} ${asNobody}${bin}/initdb -D ${data} -U trysail -A trust --no-sync`], { stdio: 'pipe' })
    mesh = await meshWith(served('postgres', `exec ${asNobody}${bin}/postgres -D ${data} -p $PORT -h 127.0.0.1 -k ${data} -F`))
  })
  after(() => mesh[Symbol.asyncDispose]())

  test('queries, a big result and an error pass, whether the port is declared or not', async () => {
    for (const { declared, host, port } of addressesOf('postgres')) {
      const psql = async (sql: string): Promise<string> =>
        (await run('psql', ['-h', host, '-p', String(port), '-U', 'trysail', '-d', 'postgres', '-At', '-c', sql], { maxBuffer: 64 * 2 ** 20, env: { ...process.env, PGCONNECT_TIMEOUT: '10' } })).stdout.trim()
      await mesh.until('PostgreSQL answers', () => psql('select 1').then((answer) => answer === '1', () => false))
      assert.equal(await psql('select 1 + 1'), '2', declared)
      assert.equal((await psql(`select repeat('x', 1000) from generate_series(1, 5000)`)).split('\n').length, 5_000)
      await assert.rejects(psql('select nonsense'), /column "nonsense" does not exist/)
    }
  })
})

describe('NATS, whose server speaks first', { skip: find('nats-server') === undefined ? 'no nats-server here (apt-get install nats-server)' : false }, () => {
  let mesh: LocalMesh
  before(async () => {
    mesh = await meshWith(served('nats', `exec ${find('nats-server') ?? ''} -a 127.0.0.1 -p $PORT`))
  })
  after(() => mesh[Symbol.asyncDispose]())

  test('a thousand messages and a request with its answer pass, whether the port is declared or not', async () => {
    for (const { declared, host, port } of addressesOf('nats')) {
      const nats = await connectNats({ servers: `${host}:${port}`, timeout: 10_000, reconnect: false })
      const got = nats.subscribe('numbers', { max: 1_000 })
      nats.subscribe('hello', { callback: (_, message) => void message.respond(`hello ${message.string()}`) })
      for (let i = 0; i < 1_000; i++) nats.publish('numbers', String(i))
      const seen: number[] = []
      for await (const message of got) seen.push(Number(message.string()))
      assert.deepEqual(seen, Array.from({ length: 1_000 }, (_, i) => i), declared)
      assert.equal((await nats.request('hello', 'mesh', { timeout: 5_000 })).string(), 'hello mesh')
      await nats.close()
    }
  })
})

describe('MQTT', { skip: find('mosquitto') !== undefined && find('mosquitto_sub') !== undefined ? false : 'no mosquitto here (apt-get install mosquitto mosquitto-clients)' }, () => {
  let mesh: LocalMesh
  before(async () => {
    const config = `listener $PORT 127.0.0.1\\nallow_anonymous true\\n`
    mesh = await meshWith(served('mqtt', `printf "${config}" > ${folder}/mqtt.conf && exec ${find('mosquitto') ?? ''} -c ${folder}/mqtt.conf`))
  })
  after(() => mesh[Symbol.asyncDispose]())

  test('a thousand messages of QoS 2 reach who has subscribed, and one that is kept whoever comes later, whether the port is declared or not', async () => {
    for (const { declared, host, port } of addressesOf('mqtt')) {
      const at = ['-h', host, '-p', String(port), '-q', '2']
      const publish = async (topic: string, args: readonly string[], input = ''): Promise<void> => {
        const running = run('mosquitto_pub', [...at, '-t', topic, ...args])
        running.child.stdin!.end(input)
        await running
      }
      await mesh.until('the broker answers', () => publish(`kept/${declared}`, ['-r', '-m', 'kept']).then(() => true, () => false))
      const { stdout: kept } = await run('mosquitto_sub', [...at, '-t', `kept/${declared}`, '-C', '1', '-W', '20'])
      assert.equal(kept, 'kept\n', declared)
      const reader = [...at, '-i', `reader of ${declared}`, '-c', '-t', 'numbers']
      await run('mosquitto_sub', [...reader, '-E'])
      // Half of them waits at the broker for the reader to come back, half is sent while it listens.
      const numbers = (from: number): string => Array.from({ length: 500 }, (_, i) => `${from + i}\n`).join('')
      await publish('numbers', ['-l'], numbers(0))
      const reading = run('mosquitto_sub', [...reader, '-C', '1000', '-W', '60'])
      await publish('numbers', ['-l'], numbers(500))
      assert.deepEqual((await reading).stdout.trim().split('\n').map(Number), Array.from({ length: 1_000 }, (_, i) => i), declared)
    }
  })
})
