// `trysail agent run`: proxy and program as one workload. What the program is, is a shell here: what it does is in its output
// and its exit code.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { after, before, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { promisify } from 'node:util'
import { freePort } from '../support/hosts.ts'
import { ProcessMesh, startApp } from '../support/process-mesh.ts'
import type { TestApp } from '../support/process-mesh.ts'
import { TrysailProcess } from '../support/trysail-process.ts'
import { until } from '../support/until.ts'

interface Workload {
  /** Its service account, too: `productpage` asks, the others are asked. */
  readonly name: string
  readonly program: readonly string[]
  readonly flags?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

const hosts: Readonly<Record<string, number>> = { shop: 5, store: 7 }

/** A workload whose program reaches reviews at $URL. */
async function startAgent(mesh: ProcessMesh, { name, program, flags = [], env = {} }: Workload) {
  const url = `http://127.0.0.1:${await freePort()}/`
  const [, ...own] = await mesh.proxyFlags(name, hosts[name] ?? 3)
  const agent = mesh.use(new TrysailProcess(
    ['agent', 'run', ...own, '--outbound', `${new URL(url).host}=reviews:9080`, ...flags, '--', ...program],
    { cwd: mesh.folder, env: { ...mesh.options.env, URL: url, ...env } },
  ))
  return { agent, url }
}

const shell = (text: string): readonly string[] => ['sh', '-c', text]

let app: TestApp
let mesh: ProcessMesh

before(async () => {
  app = await startApp()
  mesh = await ProcessMesh.create()
  mesh.edit('mesh.yaml', (text) => text.slice(0, text.lastIndexOf('---')))
  mesh.write('shop.yaml', shopYaml(mesh.net))
  await mesh.startControl()
  await (await mesh.startReviews(app.at)).saying(/serves/)
})

after(async () => {
  await mesh[Symbol.asyncDispose]()
  await app[Symbol.asyncDispose]()
})

test('the program starts once its proxy serves, its exit code is passed on, and nothing is left', async () => {
  const { agent } = await startAgent(mesh, { name: 'productpage', program: shell('curl -fsS "$URL" && exit 7') })
  assert.equal(await agent.exited, 7, agent.output)
  assert.match(agent.output, /sa\/productpage/)
  await until(async () => !(await mesh.connected()).includes('productpage'), 'the proxy has left')
})

test('a program that a signal ends, one that is none, and a mistake in the options: as in a shell', async () => {
  const cases = [
    { program: shell('kill -9 $$'), code: 137, says: /serves/ },
    { program: ['no-such-program'], code: 127, says: /no program "no-such-program"/ },
    { program: ['true'], flags: ['--concurrency', 'many'], code: 64, says: /concurrency: must be a whole number/ },
  ]
  await Promise.all(cases.map(async ({ code, says, ...rest }, i) => {
    const { agent } = await startAgent(mesh, { name: `productpage`, ...rest, flags: [...(rest.flags ?? []), '--workload-name', `one-${i}`] })
    assert.equal(await agent.exited, code, agent.output)
    assert.match(agent.output, says)
  }))
})

test('while no control plane is there it says so at once, with its address and what to look at, and the program waits', async () => {
  const [, ...own] = await mesh.proxyFlags('productpage', 3)
  const nobody = `127.0.0.1:${await freePort()}`
  const agent = mesh.use(new TrysailProcess(['agent', 'run', ...own.map((flag) => (flag === mesh.addresses.xds ? nobody : flag)), '--', ...shell('echo program: runs')], mesh.options))
  await agent.saying(new RegExp(`no certificate for \\S+/sa/productpage: .*ECONNREFUSED ${nobody}; nothing serves before there is one; the CA is ${nobody}: is a control plane there .*; it is tried again`))
  await agent.saying(/the program waits: its proxy does not serve yet/)
  agent.signal('SIGTERM')
  assert.equal(await agent.exited, 143)
  assert.doesNotMatch(agent.output, /program: runs/)
})

/** Answers `/slow` once it is told to. */
const slowServer = `
const http = require('http')
let held
http.createServer((request, response) => {
  if (request.url === '/slow') { held = response; console.log('program: asked') } else if (request.url === '/finish') { held?.end('whole'); response.end('ok') } else response.end('ok')
}).listen(process.env.PORT, '127.0.0.1', () => console.log('program: listens'))
process.on('SIGTERM', async () => {
  console.log('program: told to end')
  const answer = await fetch(process.env.URL).then((one) => one.status, String)
  console.log('program: asked once more, ' + answer)
  process.exit(3)
})`

test('told to end, the endpoint is withdrawn and who is being served is served to the end before the program is told; its proxy outlives it', async () => {
  const port = await freePort()
  const { agent } = await startAgent(mesh, {
    name: 'shop', program: ['node', '-e', slowServer], env: { PORT: String(port) },
    flags: ['--inbound', `${mesh.net}.5:9081=127.0.0.1:${port}`, '--termination-drain-duration', '20s'],
  })
  const { url } = await mesh.startGateway()
  await agent.saying(/program: listens/)
  await until(async () => (await fetch(url)).status === 200, 'the gateway leads to the shop')
  const slow = fetch(`${url}slow`).then(async (answer) => `${answer.status} ${await answer.text()}`)
  await agent.saying(/program: asked/)
  agent.signal('SIGTERM')
  await until(async () => (await fetch(url)).status === 503, 'nobody is sent there any more')
  assert.doesNotMatch(agent.output, /program: told to end/)
  assert.equal((await fetch(`http://127.0.0.1:${port}/finish`)).status, 200)
  assert.equal(await slow, '200 whole')
  assert.equal(await agent.exited, 3, agent.output)
  assert.match(agent.output, /program: told to end\nprogram: asked once more, 200/)
})

test('a newer proxy takes over on SIGUSR2, one that is killed is started again: the program hears of neither', async () => {
  const { agent, url } = await startAgent(mesh, { name: 'productpage', program: shell('echo pid of the agent $PPID; exec sleep 1000') })
  await agent.saying(/pid of the agent/)
  const seen = new Set<number | string>()
  let going = true
  const load = (async () => {
    while (going) seen.add(await fetch(url).then(({ status }) => status, String))
  })()
  agent.signal('SIGUSR2')
  await agent.saying(/a newer proxy has taken over/)
  going = false
  await load
  assert.deepEqual([...seen], [200])
  const from = agent.output.length
  process.kill(await proxyOf(agent.pid), 'SIGKILL')
  await agent.saying(/the proxy ended with code \d+; next start in/, from)
  await until(async () => (await fetch(url).then(({ status }) => status, () => 0)) === 200, 'it serves again')
  agent.signal('SIGTERM')
  assert.equal(await agent.exited, 143)
})

test('an agent that is killed takes both with it: the program is told, killed if it does not mind, and the proxy leaves', async () => {
  const minds = shell('trap "echo program: is told; exit 0" TERM; trap "echo program: hears" WINCH; sleep 1000 & while true; do wait; done')
  const doesNot = shell('trap "" TERM; trap "echo program: hears" WINCH; while true; do sleep 0.1; done')
  const agents = await Promise.all([startAgent(mesh, { name: 'productpage', program: minds }), startAgent(mesh, { name: 'shop', program: doesNot, flags: ['--program-grace', '1s'] })])
  for (const { agent } of agents) {
    await until(() => {
      agent.signal('SIGWINCH') // it goes on to the program as soon as the agent knows of it
      return Promise.resolve(agent.output.includes('program: hears'))
    }, 'the agent has its program')
    agent.signal('SIGKILL')
  }
  // Their output is open for as long as anything of theirs runs.
  assert.deepEqual(await Promise.all(agents.map(({ agent }) => agent.exited)), ['SIGKILL', 'SIGKILL'])
  assert.match(agents[0]!.agent.output, /program: is told/)
  await until(async () => !(await mesh.connected()).some((name) => name === 'productpage' || name === 'shop'), 'the proxies have left')
})

/** Takes its time to listen, as programs do. */
const lateServer = `
const http = require('http')
const server = http.createServer((request, response) => response.end('late'))
setTimeout(() => server.listen(process.env.PORT, '127.0.0.1', () => console.log('program: listens')), 1_500)
process.on('SIGTERM', () => process.exit(0))`

test('an instance that starts again under load is sent nobody before its program accepts connections', async () => {
  const port = await freePort()
  const start = () => startAgent(mesh, {
    name: 'store', program: ['node', '-e', lateServer], env: { PORT: String(port) }, flags: ['--inbound', `${mesh.net}.7:9081=127.0.0.1:${port}`, '--termination-drain-duration', '1s'],
  })
  const [, ...other] = await mesh.proxyFlags('store', 6)
  const beside = mesh.use(new TrysailProcess(['proxy', ...other, '--inbound', `${mesh.net}.6:9081=${app.at}`], mesh.options))
  await beside.saying(/serves/)
  const url = `http://127.0.0.1:${await freePort()}/`
  await mesh.startProductpage({ flags: ['--outbound', `${new URL(url).host}=store:9081`] })
  const seen = new Map<string, number>()
  let going = true
  const isAsked = async (): Promise<void> => {
    const before = seen.get('200 late') ?? 0
    await until(() => Promise.resolve((seen.get('200 late') ?? 0) > before), 'it is asked')
  }
  const { agent } = await start()
  await agent.saying(/program: listens/)
  await until(async () => (await fetch(url)).status === 200, 'productpage reaches the store')
  const load = (async () => {
    while (going) {
      const answer = await fetch(url).then(async (one) => `${one.status} ${(await one.text()).trim()}`, String)
      seen.set(answer, (seen.get(answer) ?? 0) + 1)
      await setTimeout(5)
    }
  })()
  try {
    await isAsked()
    agent.signal('SIGTERM')
    await agent.exited
    const { agent: next } = await start()
    await next.saying(/serves/)
    assert.doesNotMatch(next.output, /program: listens/)
    await isAsked()
    assert.match(next.output, /program: listens/)
  } finally {
    going = false
    await load
  }
  assert.deepEqual([...seen.keys()].filter((answer) => !answer.startsWith('200 ')), [], JSON.stringify([...seen]))
})

/** The newest one. */
async function proxyOf(agent: number): Promise<number> {
  const { stdout } = await promisify(execFile)('ps', ['-o', 'pid=,args=', '--ppid', String(agent)])
  return Math.max(...stdout.split('\n').filter((line) => line.includes(' proxy ')).map((line) => Number.parseInt(line, 10)))
}

const shopYaml = (net: string): string => `
apiVersion: v1
kind: Service
metadata: { name: shop, namespace: default }
spec: { clusterIP: 10.96.0.11, selector: { app: shop }, ports: [{ name: http, port: 9081 }] }
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: shop, namespace: default }
spec: { address: ${net}.5, serviceAccount: shop, labels: { app: shop, security.istio.io/tlsMode: istio } }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ingress, namespace: default }
spec: { hosts: ['*'], gateways: [ingress], http: [{ route: [{ destination: { host: shop } }] }] }
${storeYaml(net)}
`

/** Two instances, whose clients try once. */
const storeYaml = (net: string): string => `---
apiVersion: v1
kind: Service
metadata: { name: store, namespace: default }
spec: { clusterIP: 10.96.0.12, selector: { app: store }, ports: [{ name: http, port: 9081 }] }
${[6, 7].map((host) => `---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: store-${host}, namespace: default }
spec: { address: ${net}.${host}, serviceAccount: store, labels: { app: store, security.istio.io/tlsMode: istio } }
`).join('')}---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: store, namespace: default }
spec: { hosts: [store], http: [{ route: [{ destination: { host: store } }], retries: { attempts: 0 } }] }
`
