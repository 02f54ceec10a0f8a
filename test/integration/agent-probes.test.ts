// The agent's probes and its HTTP port against real applications: HTTP, HTTPS, TCP, gRPC on @grpc/grpc-js, commands; and the
// merged scrape.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { RequestListener, Server as HttpServer } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { createServer as createTcpServer } from 'node:net'
import type { AddressInfo, Server as TcpServer } from 'node:net'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Server as GrpcServer, ServerCredentials, status } from '@grpc/grpc-js'
import { startAgentPort } from '../../src/agent/probe/agent-port.ts'
import type { AgentPortOptions } from '../../src/agent/probe/agent-port.ts'
import type { AppProber } from '../../src/agent/probe/app-probers.ts'
import { ask } from '../../src/agent/probe/ask.ts'
import type { Probe, ProbePlace } from '../../src/agent/probe/probe.ts'
import { outsideOfCapture } from '../../src/net/dial-from.ts'
import { createAuthority } from '../support/certificates.ts'
import { TempFolder } from '../support/temp-folder.ts'
import { until } from '../support/until.ts'

const place: ProbePlace = { ip: '127.0.0.1', at: (address) => address, from: () => undefined }
const timeoutMs = 5000
const asked = (probe: Probe, over: Partial<ProbePlace> = {}) => ask(probe, { place: { ...place, ...over }, timeoutMs })

interface App extends AsyncDisposable {
  readonly port: number
}

async function listening(server: TcpServer | HttpServer, host = '127.0.0.1'): Promise<App> {
  server.listen(0, host)
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      if ('closeAllConnections' in server) server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

const webApp = (listener: RequestListener): Promise<App> => listening(createServer(listener))
const httpProbe = (port: number, path = '/', over: Partial<Extract<Probe, { kind: 'http' }>> = {}): Extract<Probe, { kind: 'http' }> => ({ kind: 'http', host: '', port, path, tls: false, headers: [], ...over })

/** `service -> serving status`; others are NOT_FOUND. */
async function grpcApp(statuses: ReadonlyMap<string, number>): Promise<App> {
  const server = new GrpcServer()
  const path = '/grpc.health.v1.Health/Check'
  const same = (bytes: Buffer): Buffer => bytes
  server.addService({ check: { path, requestStream: false, responseStream: false, requestSerialize: same, requestDeserialize: same, responseSerialize: same, responseDeserialize: same } }, {
    check: (call: { request: Buffer }, done: (error: object | null, answer?: Buffer) => void) => {
      const served = statuses.get(call.request.subarray(2).toString())
      if (served === undefined) done({ code: status.NOT_FOUND, details: 'unknown service' })
      else done(null, Buffer.of(8, served))
    },
  })
  const port = await new Promise<number>((resolve, reject) => server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => (error === null ? resolve(bound) : reject(error))))
  return { port, async [Symbol.asyncDispose]() { server.forceShutdown() } }
}

test('an HTTP probe takes 200 to 399 for well, and says what else was answered', async () => {
  await using app = await webApp((request, response) => response.writeHead(Number(request.url!.slice(1))).end())
  for (const code of [200, 204, 302, 399]) assert.equal(await asked(httpProbe(app.port, `/${code}`)), undefined)
  assert.equal(await asked(httpProbe(app.port, '/404')), 'GET /404 answers 404')
  assert.equal(await asked(httpProbe(app.port, '/500')), 'GET /500 answers 500')
})

test('redirects are followed on the same host and ten times at most; one that leads elsewhere is an answer', async () => {
  const hosts: unknown[] = []
  await using app = await webApp((request, response) => {
    hosts.push(request.headers.host)
    const [, word, number] = /\/(\w+)\/(\d+)/.exec(request.url!) ?? []
    if (word === 'hops' && number !== '0') response.writeHead(302, { location: `/hops/${Number(number) - 1}` }).end()
    else if (word === 'elsewhere') response.writeHead(302, { location: 'http://203.0.113.1/' }).end()
    else response.writeHead(number === '0' ? 200 : 503).end()
  })
  assert.equal(await asked(httpProbe(app.port, '/hops/10')), undefined)
  assert.match((await asked(httpProbe(app.port, '/hops/11')))!, /more than 10 redirects/)
  assert.equal(await asked(httpProbe(app.port, '/elsewhere/1')), undefined)
  assert.deepEqual([...new Set(hosts)], [`127.0.0.1:${app.port}`])
})

test('a self-signed HTTPS server is as good as any; plain HTTP to it is not', async () => {
  const { chain: cert, key } = createAuthority().issue('DNS:nobody.example')
  await using app = await listening(createHttpsServer({ cert, key }, (_, response) => response.end('ok')))
  assert.equal(await asked(httpProbe(app.port, '/', { tls: true })), undefined)
  assert.match((await asked(httpProbe(app.port)))!, /GET \/ on port/)
})

test('who does not answer in time, or answers with half a body, is unwell', async () => {
  await using silent = await webApp(() => {})
  await using half = await webApp((_, response) => void response.writeHead(200, { 'content-length': 10 }).write('half'))
  for (const app of [silent, half]) assert.match((await ask(httpProbe(app.port), { place, timeoutMs: 100 }))!, /no (whole )?answer within 100 ms/)
})

test('a TCP probe is content with a connection', async () => {
  const app = await listening(createTcpServer((socket) => socket.on('error', () => {}).resume()))
  assert.equal(await asked({ kind: 'tcp', host: '', port: app.port }), undefined)
  await app[Symbol.asyncDispose]()
  assert.match((await asked({ kind: 'tcp', host: '', port: app.port }))!, /refused/)
})

test('a gRPC probe wants SERVING of its service', async () => {
  await using app = await grpcApp(new Map([['', 1], ['shop', 1], ['cart', 2]]))
  await using web = await webApp((_, response) => response.end())
  const grpc = (service: string, port = app.port): Probe => ({ kind: 'grpc', port, service })
  assert.equal(await asked(grpc('')), undefined)
  assert.equal(await asked(grpc('shop')), undefined)
  assert.equal(await asked(grpc('cart')), 'the server says NOT_SERVING')
  assert.equal(await asked(grpc('other')), 'gRPC status 5: unknown service')
  assert.notEqual(await asked(grpc('', web.port)), undefined, 'a server of HTTP/1.1')
})

test('a command is well with exit code 0; what it says is in the problem; over its time it is ended with all that it started', async () => {
  await using folder = await TempFolder.create()
  const run = (script: string, ms = timeoutMs) => ask({ kind: 'exec', command: ['/bin/sh', '-c', script] }, { place, timeoutMs: ms })
  assert.equal(await run('exit 0'), undefined)
  assert.equal(await run('echo no disk >&2; exit 3'), '/bin/sh ended with 3: no disk')
  assert.equal(await run('yes | head -c 1000000; exit 0'), undefined, 'what it prints is never waited for')
  assert.match((await asked({ kind: 'exec', command: ['/no/such/program'] }))!, /cannot be run/)
  const pidFile = join(folder.path, 'pid')
  assert.match((await run(`sleep 300 & echo $! > ${pidFile}; wait`, 1000))!, /did not end within 1000 ms/)
  const pid = readFileSync(pidFile, 'utf8').trim()
  await until(() => !existsSync(`/proc/${pid}`) || / Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8')), 'its child is gone too')
})

test('probes come from the address that a redirect leaves alone', { skip: process.platform !== 'linux' && 'only Linux has all of 127.0.0.0/8' }, async () => {
  const seen: string[] = []
  await using web = await webApp((request, response) => {
    seen.push(request.socket.remoteAddress!)
    response.end()
  })
  await using tcp = await listening(createTcpServer((socket) => {
    seen.push(socket.remoteAddress!)
    socket.on('error', () => {}).resume()
  }))
  const from = { from: outsideOfCapture }
  assert.equal(await asked(httpProbe(web.port), from), undefined)
  assert.equal(await asked({ kind: 'tcp', host: '', port: tcp.port }, from), undefined)
  await until(() => seen.length === 2, 'both came')
  assert.deepEqual(seen, ['127.0.0.6', '127.0.0.6'])
})

async function agentOf(probers: Readonly<Record<string, AppProber>>, over: Partial<AgentPortOptions> = {}) {
  const world = { why: '', quits: 0, drains: 0, lines: [] as string[] }
  const port = await startAgentPort({
    port: 0, place, probers: new Map(Object.entries(probers)), appMetrics: undefined,
    proxy: { get notReadyBecause() { return world.why }, prometheus: async () => 'proxy_up 1\n' },
    onQuit: () => world.quits++, onDrain: () => world.drains++, log: (line) => world.lines.push(line), ...over,
  })
  const get = async (path: string, init: RequestInit = {}, host = '127.0.0.1') => {
    const answer = await fetch(`http://${host}:${port.port}${path}`, init)
    return { status: answer.status, type: answer.headers.get('content-type'), text: await answer.text() }
  }
  return { world, get, [Symbol.asyncDispose]: () => port.close() }
}

test('the agent hands a probe on: status, type and the first 10 KiB of the body come back, headers go there, the host is the application\'s', async () => {
  let seen: Record<string, unknown> = {}
  await using app = await webApp((request, response) => {
    seen = request.headers
    response.writeHead(418, { 'content-type': 'text/x-tea' }).end('x'.repeat(20_000))
  })
  await using agent = await agentOf({ '/app-health/web/readyz': { probe: httpProbe(app.port, '/', { headers: [['X-Own', '1']] }), timeoutMs } })
  const { status: code, type, text } = await agent.get('/app-health/web/readyz', { headers: { 'x-kube': 'a', 'x-own': '0' } })
  assert.deepEqual([code, type, text.length], [418, 'text/x-tea', 10_240])
  assert.deepEqual([seen['host'], seen['x-kube'], seen['x-own']], [`127.0.0.1:${app.port}`, 'a', '1'])
})

test('probes of TCP and gRPC become 200 or 500; a path that nobody told is 400; an application that is away is 500', async () => {
  await using grpc = await grpcApp(new Map([['', 1], ['bad', 2]]))
  const closed = await webApp(() => {})
  await closed[Symbol.asyncDispose]()
  await using agent = await agentOf({
    '/app-health/a/livez': { probe: { kind: 'tcp', host: '', port: grpc.port }, timeoutMs },
    '/app-health/a/readyz': { probe: { kind: 'grpc', port: grpc.port, service: '' }, timeoutMs },
    '/app-health/b/readyz': { probe: { kind: 'grpc', port: grpc.port, service: 'bad' }, timeoutMs },
    '/app-health/c/livez': { probe: { kind: 'tcp', host: '', port: closed.port }, timeoutMs },
    '/app-lifecycle/c/prestopz': { probe: httpProbe(closed.port), timeoutMs },
  })
  const codes = async (...paths: string[]) => Promise.all(paths.map(async (path) => (await agent.get(path)).status))
  assert.deepEqual(await codes('/app-health/a/livez', '/app-health/a/readyz', '/app-health/b/readyz', '/app-health/c/livez', '/app-lifecycle/c/prestopz', '/app-health/x/livez', '/nothing'), [200, 200, 500, 500, 500, 400, 404])
})

test('/healthz/ready is 503 with the reason until the proxy serves, and others beside it', async () => {
  let names = 'no names yet'
  await using agent = await agentOf({}, { alsoReady: [() => names] })
  agent.world.why = 'no configuration yet'
  assert.deepEqual(await agent.get('/healthz/ready'), { status: 503, type: 'text/plain; charset=utf-8', text: 'no configuration yet; no names yet\n' })
  agent.world.why = ''
  names = ''
  assert.equal((await agent.get('/healthz/ready')).status, 200)
})

test('/quitquitquit and /drain are for POST from loopback alone', { skip: process.platform !== 'linux' && 'needs a second address' }, async () => {
  await using agent = await agentOf({})
  for (const path of ['/quitquitquit', '/drain']) {
    assert.equal((await agent.get(path)).status, 405)
    assert.deepEqual((await agent.get(path, { method: 'POST' })).text, 'OK')
  }
  const own = ownAddress()
  if (own !== undefined) assert.equal((await agent.get('/quitquitquit', { method: 'POST' }, own)).status, 403)
  assert.deepEqual([agent.world.quits, agent.world.drains], [1, 1])
})

test('a scrape has what the proxy counted and what its application says; an application that is away or refuses costs its part alone', async () => {
  const seen: unknown[] = []
  let code = 200
  await using app = await webApp((request, response) => {
    seen.push([request.url, request.headers['x-prometheus-scrape-timeout-seconds']])
    response.writeHead(code, { 'content-type': 'text/plain; version=0.0.4' }).end('app_up 1')
  })
  await using agent = await agentOf({}, { appMetrics: { port: app.port, path: '/m' } })
  for (const path of ['/stats/prometheus', '/metrics']) {
    const answer = await agent.get(path, { headers: { 'x-prometheus-scrape-timeout-seconds': '7' } })
    assert.deepEqual(answer, { status: 200, type: 'text/plain; version=0.0.4; charset=utf-8', text: 'proxy_up 1\napp_up 1\n' })
  }
  assert.deepEqual(seen[0], ['/m', '7'])
  code = 500
  assert.deepEqual([(await agent.get('/metrics')).text, agent.world.lines], ['proxy_up 1\n', ['a scrape is not whole: the application: GET /m answers 500']])
  await app[Symbol.asyncDispose]()
  const away = await agent.get('/metrics')
  assert.deepEqual([away.status, away.text], [200, 'proxy_up 1\n'])
})

test('OpenMetrics is what the application answers in, or nobody', async () => {
  await using app = await webApp((_, response) => response.writeHead(200, { 'content-type': 'application/openmetrics-text; version=1.0.0' }).end('app_up 1\n# EOF\n'))
  await using agent = await agentOf({}, { appMetrics: { port: app.port, path: '/' } })
  assert.deepEqual(await agent.get('/metrics'), { status: 200, type: 'application/openmetrics-text; version=1.0.0', text: 'proxy_up 1\napp_up 1\n# EOF\n' })
})

test('a port that is taken is said by its option', async () => {
  await using taken = await listening(createTcpServer(), '::')
  await assert.rejects(agentOf({}, { port: taken.port }), (error) => error instanceof Error && /--status-port/.test(error.message))
})

/** An address of this machine that is not loopback: whoever asks from there is not the workload's own loopback. */
function ownAddress(): string | undefined {
  return Object.values(networkInterfaces()).flat().find((one) => one !== undefined && !one.internal && one.family === 'IPv4')?.address
}
