// `trysail proxy --dns-capture` below `trysail control`: dig and kdig as clients, names that change while it runs, both ways of
// xDS, a resolver that is away, and a second proxy that takes over.
import assert from 'node:assert/strict'
import { execFile, spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { Resolver, ip, reply, types } from '../support/dns-peers.ts'
import { freeDnsPort } from '../support/dns-world.ts'
import { ProcessMesh } from '../support/process-mesh.ts'
import { TrysailProcess, trysail } from '../support/trysail-process.ts'
import { until } from '../support/until.ts'

const hasDig = ['dig', 'kdig'].every((program) => spawnSync(program, ['-v']).status === 0 || spawnSync(program, ['-V']).status === 0)
const skip = hasDig ? false : 'dig and kdig are not installed (dnsutils, knot-dnsutils)'

/** The resolver is in this process: nothing may wait here. */
async function run(program: string, port: number, ...args: readonly string[]): Promise<readonly string[]> {
  const { stdout } = await promisify(execFile)(program, ['@127.0.0.1', '-p', String(port), '+short', ...args], { timeout: 20_000 })
  return stdout.split('\n').filter((line) => line !== '' && !line.startsWith(';')).sort()
}

const names = (address: string): string => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: api, namespace: default }
spec: { hosts: [api.example.com, '*.apis.example.com'], addresses: [${address}, 'fd00::7'], ports: [{ number: 443, name: tls, protocol: TLS }], resolution: STATIC, endpoints: [{ address: 127.0.0.9 }] }
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: vip, namespace: default }
spec: { hosts: [vip.example.com], ports: [{ number: 443, name: tls, protocol: TLS }], resolution: STATIC, endpoints: [{ address: 127.0.0.9 }] }
---
apiVersion: v1
kind: Service
metadata: { name: db, namespace: default }
spec: { clusterIP: None, selector: { app: db }, ports: [{ name: tcp, port: 5432 }] }
---
apiVersion: v1
kind: Pod
metadata: { name: db-0, namespace: default, labels: { app: db } }
spec: { hostname: db-0, subdomain: db, containers: [{ name: db, ports: [{ containerPort: 5432 }] }] }
status: { phase: Running, podIP: 10.9.0.10 }
---
apiVersion: v1
kind: Pod
metadata: { name: db-1, namespace: default, labels: { app: db } }
spec: { hostname: db-1, subdomain: db, containers: [{ name: db, ports: [{ containerPort: 5432 }] }] }
status: { phase: Running, podIP: 10.9.0.11 }
`

for (const [protocol, concurrency] of [['delta', 1], ['sotw', 2]] as const) {
  test(`a workload looks up the mesh's names, and others at its resolver, over ${protocol} xDS, threads: ${concurrency}`, { skip }, async () => {
    await using resolver = await Resolver.start((asked) => reply(asked, { answers: [{ type: types.A, ttl: 60, data: ip('192.0.2.77') }] }))
    await using mesh = await ProcessMesh.create()
    mesh.write('names.yaml', names('10.9.9.9'))
    await mesh.startControl()
    const { port } = await freeDnsPort()
    const resolvConf = mesh.file('resolv.conf', 'search default.svc.cluster.local svc.cluster.local cluster.local\nnameserver 192.0.2.1\n')
    const { proxy } = await mesh.startProductpage({
      flags: ['--xds-protocol', protocol, '--concurrency', String(concurrency), '--instance-ips', 'fd00::3', '--dns-capture', '--dns-proxy-addr', `localhost:${port}`, '--resolv-conf', resolvConf, '--dns-resolvers', `127.0.0.1:${resolver.address.port}`],
    })
    assert.deepEqual(await run('dig', port, 'reviews'), ['10.96.0.10'], proxy.output)
    assert.deepEqual(await run('kdig', port, '+tcp', 'reviews.default.svc.cluster.local', 'A'), ['10.96.0.10'])
    assert.deepEqual(await run('dig', port, 'reviews', 'AAAA'), [])
    assert.deepEqual(await run('dig', port, 'api.example.com', 'AAAA'), ['fd00::7'])
    assert.deepEqual(await run('dig', port, 'x.apis.example.com.default.svc.cluster.local'), ['10.9.9.9', 'x.apis.example.com.'])
    assert.match((await run('dig', port, 'vip.example.com'))[0]!, /^240\.240\./)
    assert.deepEqual(await run('kdig', port, 'db'), ['10.9.0.10', '10.9.0.11'])
    assert.deepEqual(await run('kdig', port, 'db-1.db.default.svc.cluster.local'), ['10.9.0.11'])
    assert.deepEqual(await run('dig', port, 'elsewhere.example.net'), ['192.0.2.77'])
    mesh.write('names.yaml', names('10.9.9.10'))
    await until(async () => (await run('dig', port, 'api.example.com'))[0] === '10.9.9.10', 'the new address')
    const { output } = await trysail(['proxy-config', 'names', 'productpage'], mesh.options)
    assert.match(output, /^db\.default\.svc\.cluster\.local +10\.9\.0\.10, 10\.9\.0\.11 +Kubernetes$/m)
    const [, admin = ''] = await proxy.saying(/admin on (\S+)/)
    const metrics = await (await fetch(`${admin}/stats/prometheus`)).text()
    assert.match(metrics, /^dns_requests_total \d\d/m)
    assert.match(metrics, /^dns_upstream_requests_total 1$/m)
  })
}

test('a proxy that takes over takes the look-ups, too, and none of them fails', { skip }, async () => {
  await using mesh = await ProcessMesh.create()
  await mesh.startControl()
  const { port } = await freeDnsPort()
  const flags = [...await mesh.proxyFlags('productpage', 3), '--dns-capture', '--dns-proxy-addr', `127.0.0.1:${port}`, '--dns-resolvers', 'none']
  const first = mesh.use(new TrysailProcess(flags, mesh.options))
  await first.saying(/serves/)
  const bad: string[] = []
  const second = mesh.use(new TrysailProcess([...flags, '--takeover'], mesh.options))
  let over = false
  const taken = second.saying(/serves/).then(() => first.exited).then(() => void (over = true))
  let asked = 0
  while (!over) {
    const found = await run('dig', port, '+tries=3', '+time=1', 'reviews')
    if (found[0] !== '10.96.0.10') bad.push(found.join())
    asked++
  }
  await taken
  assert.deepEqual(bad, [])
  assert.ok(asked > 0)
  assert.deepEqual(await run('dig', port, 'reviews'), ['10.96.0.10'])
  const third = await trysail(flags, mesh.options)
  assert.match(third.output, /taken by another process/)
})
