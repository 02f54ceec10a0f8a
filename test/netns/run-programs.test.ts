// `run --capture netns`: programs that know nothing of a mesh, each as it is, behave as in a Pod. They ask by name, by the
// service's address and by a workload's; whoever is asked knows who asks. And whatever they try, nothing slips past.
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { existsSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { netnsSkip } from '../support/capture-world.ts'
import { leavesNothing } from '../support/leaves-nothing.ts'
import { echo, gatewayTo, service, startLocalMesh } from '../support/local-mesh.ts'
import type { LocalMesh } from '../support/local-mesh.ts'
import { inside, leftSince, machine, networkOf, networksOf } from '../support/netns-mesh.ts'
import type { Ran } from '../support/netns-mesh.ts'
import { TempFolder } from '../support/temp-folder.ts'
import { Wire } from '../support/wire.ts'

leavesNothing()

const has = (program: string, ...args: string[]): boolean => spawnSync(program, args.length > 0 ? args : ['--version'], { stdio: 'ignore' }).status === 0
const spiffe = (account: string): string => `spiffe://cluster.local/ns/default/sa/${account}`

const client = `
apiVersion: trysail.dev/v1
kind: Process
metadata: { name: client, labels: { app: client } }
spec: { serviceAccount: caller, command: [sh, -c, "setsid sleep 3600 & exec sleep 3600"] }
---`

function served(name: string, command: string, port: number): string {
  return `
apiVersion: trysail.dev/v1
kind: Process
metadata: { name: ${name}, labels: { app: ${name} } }
spec: { serviceAccount: ${name}, command: [sh, -c, ${JSON.stringify(command)}], ports: [{ name: tcp, containerPort: ${port} }] }
---
apiVersion: v1
kind: Service
metadata: { name: ${name} }
spec: { selector: { app: ${name} }, ports: [{ name: tcp, port: ${port} }] }
---`
}

/** Its port 9080 is on loopback alone; that it is ready, 9081 says. */
const shy = `
apiVersion: trysail.dev/v1
kind: Process
metadata: { name: shy, labels: { app: shy } }
spec:
  command: [sh, -c, "python3 -m http.server 9081 & exec python3 -m http.server 9080 --bind 127.0.0.1"]
  ports: [{ name: http, containerPort: 9080 }, { name: ready, containerPort: 9081 }]
  readiness: { tcpSocket: { port: 9081 } }
---`

const atLoopback = `
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: shy }
spec:
  workloadSelector: { labels: { app: shy } }
  ingress: [{ port: { number: 9080, name: http, protocol: HTTP }, defaultEndpoint: "127.0.0.1:9080" }]
`

/** Of both families, of IPv6 alone, without an address of its own; and a host with nothing but an address of IPv6. */
const families = `
apiVersion: v1
kind: Service
metadata: { name: both }
spec: { ipFamilyPolicy: PreferDualStack, selector: { app: web }, ports: [{ name: http, port: 80, targetPort: 9080 }] }
---
apiVersion: v1
kind: Service
metadata: { name: six }
spec: { ipFamilies: [IPv6], selector: { app: web }, ports: [{ name: tcp, port: 9999, targetPort: 9080 }] }
---
apiVersion: v1
kind: Service
metadata: { name: members }
spec: { clusterIP: None, selector: { app: member }, ports: [{ name: http, port: 9080 }] }
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: six }
spec:
  hosts: [six.example.test]
  addresses: ["2001:db8::10"]
  location: MESH_INTERNAL
  resolution: STATIC
  workloadSelector: { labels: { app: web } }
  ports: [{ number: 80, name: http, protocol: HTTP, targetPort: 9080 }, { number: 81, name: tcp, protocol: TCP, targetPort: 9080 }]
---`

const registryOnly = `
apiVersion: v1
kind: ConfigMap
metadata: { name: istio, namespace: istio-system }
data: { mesh: "outboundTrafficPolicy: { mode: REGISTRY_ONLY }\\naccessLogFile: /dev/stdout" }
`

const strict = `
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default, namespace: istio-system }
spec: { mtls: { mode: STRICT } }
`

/** Speaks first. */
const greeter = "exec python3 -c 'import socketserver\nclass Greet(socketserver.BaseRequestHandler):\n  def handle(self): self.request.sendall(b\"hello\")\nsocketserver.ThreadingTCPServer((\"0.0.0.0\", 7000), Greet).serve_forever()'"

const skip = netnsSkip
const noIpv6 = skip || (existsSync('/proc/net/if_inet6') ? false : 'skipped: this kernel has no IPv6')
const noRedis = skip || (has('redis-server') && has('redis-cli') ? false : 'skipped: no redis-server here (apt-get install redis-server)')
const postgresBin = spawnSync('sh', ['-c', 'ls -d /usr/lib/postgresql/*/bin | tail -1'], { encoding: 'utf8' }).stdout.trim()
const noPostgres = skip || (postgresBin !== '' && has('psql') ? false : 'skipped: no PostgreSQL here (apt-get install postgresql)')

describe('programs in networks of their own', { skip }, () => {
  let mesh: LocalMesh
  let folder: TempFolder
  let vip: string
  let podIp: string
  const asItWas = skip === false ? machine() : undefined
  const own: string[] = []

  const call = async (name: string, command: readonly [string, ...string[]], input = ''): Promise<Ran> => await inside(mesh, name, command, { input })
  /** What the echo program was sent, as a client got it. */
  const heard = (ran: Ran): { readonly name: string; readonly by: string } => {
    assert.equal(ran.code, 0, `${ran.err}\n${ran.out}`)
    const { name, headers } = JSON.parse(ran.out.slice(ran.out.indexOf('{'), ran.out.lastIndexOf('}') + 1)) as { name: string; headers: Record<string, string> }
    return { name, by: /URI=([^;,]+)/.exec(headers['x-forwarded-client-cert'] ?? '')?.[1] ?? 'nobody' }
  }
  const ipOf = (workload: string): string => mesh.mesh.processes.find(({ name }) => name === workload)?.inbound[0]?.split(':')[0] ?? ''
  const places = (): readonly string[] => ['http://web', 'http://web.default.svc.cluster.local', `http://${vip}`]

  before(async () => {
    folder = await TempFolder.create()
    const databases = [
      ...(noRedis === false ? [served('redis', "exec redis-server --bind 0.0.0.0 --protected-mode no --save '' --appendonly no", 6379)] : []),
      ...(noPostgres === false ? [served('postgres', await postgres(folder), 5432)] : []),
    ]
    mesh = await startLocalMesh({ 'all.yaml': [echo('web', { spec: 'serviceAccount: web' }), service('web'), families, echo('member'), client, shy, service('shy'), served('greeter', greeter, 7000), ...databases, gatewayTo('web')].join('\n') }, { capture: 'netns', watch: true })
    own.push(...networksOf([process.pid]))
    vip = (await call('client', ['getent', 'hosts', 'web'])).out.split(/\s+/)[0] ?? ''
    podIp = ipOf('web')
  })

  after(async () => {
    await mesh[Symbol.asyncDispose]()
    await folder[Symbol.asyncDispose]()
    assert.deepEqual(leftSince(asItWas!, own), [], 'what is left')
  })

  test('curl as it is reaches a service by its short name, its full name and its address; the server knows who calls', async () => {
    for (const url of places()) assert.deepEqual(heard(await call('client', ['curl', '-sS', '-m', '10', url])), { name: 'web', by: spiffe('caller') }, url)
  })

  test('a workload is reached at its own address, through both sidecars', async () => {
    const before = mesh.accessLog.length
    const answer = await call('client', ['curl', '-sS', '-m', '10', `http://${podIp}:9080/direct`])
    assert.deepEqual(heard(answer), { name: 'web', by: spiffe('caller') })
    const logged = (...words: string[]): boolean => mesh.accessLog.slice(before).some((line) => words.every((word) => line.includes(word)))
    await mesh.until('both sidecars have logged it', () => logged('PassthroughCluster', `${podIp}:9080`) && logged('/direct', 'inbound|9080||'))
  })

  test('under STRICT a workload is reached at its own address, in mutual TLS, whatever it speaks', async () => {
    await using wire = await Wire.open(mesh.pidOf('client'))
    const greeterAt = `${ipOf('greeter')}:7000`
    await mesh.edit(() => mesh.folder.write('mesh/strict.yaml', strict))
    assert.deepEqual(heard(await call('client', ['curl', '-sS', '-m', '10', `http://${podIp}:9080/strict`])), { name: 'web', by: spiffe('caller') })
    assert.equal((await call('client', ['curl', '-sS', '-m', '10', `telnet://${greeterAt}`])).out, 'hello')
    assert.notEqual((await call('client', ['curl', '-sS', '-m', '10', `http://${ipOf('shy')}:9082/`])).code, 0, 'a port of no service')
    await mesh.edit(() => mesh.folder.remove('mesh/strict.yaml'))
    await mesh.until('the wire has shown it', () => wire.to(greeterAt).length > 0)
    assert.deepEqual([new Set(wire.to(`${podIp}:9080`)), new Set(wire.to(greeterAt))], [new Set(['TLS']), new Set(['TLS'])])
  })

  test('a workload that calls its own service goes out and in again; its own address it reaches itself', async () => {
    assert.deepEqual(heard(await call('web', ['curl', '-sS', '-m', '10', 'http://web'])), { name: 'web', by: spiffe('web') })
    assert.equal(heard(await call('web', ['curl', '-sS', '-m', '10', `http://${podIp}:9080`])).name, 'web')
    assert.equal(heard(await call('web', ['curl', '-sS', '-m', '10', 'http://localhost:9080'])).name, 'web')
  })

  test('a program on 127.0.0.1 alone is reached by nobody, until a Sidecar says that it is there', async () => {
    const status = async (): Promise<string> => (await call('client', ['curl', '-s', '-m', '10', '-o', '/dev/null', '-w', '%{http_code}', 'http://shy'])).out
    assert.equal((await call('shy', ['curl', '-s', '-m', '10', '-o', '/dev/null', '-w', '%{http_code}', 'http://127.0.0.1:9080'])).out, '200')
    assert.equal(await status(), '503')
    const refused = (line: string): boolean => line.includes('inbound|9080||') && line.includes('503 UF')
    await mesh.until('its sidecar has logged that the connection was refused', () => mesh.accessLog.some(refused))
    await mesh.folder.write('mesh/shy.yaml', atLoopback)
    await mesh.until('an answer', async () => await status() === '200')
  })

  test('each has a network of its own, and of this machine only what it was given', async () => {
    assert.notEqual(networkOf(mesh.pidOf('web')), networkOf(mesh.pidOf('client')))
    assert.notEqual(networkOf(mesh.pidOf('web')), networkOf(process.pid))
    const { out } = await call('client', ['cat', '/etc/resolv.conf'])
    assert.match(out, /^search default\.svc\.cluster\.local .*\n.*\noptions ndots:5$/)
    const { headers } = JSON.parse((await mesh.get('/from-outside')).body) as { headers: Record<string, string> }
    assert.match(headers['x-forwarded-client-cert'] ?? '', /istio-ingressgateway-service-account/)
  })

  test('a Python program asks by urllib, and by requests where it is installed', async () => {
    const urllib = 'import sys, urllib.request\nprint(urllib.request.urlopen(sys.argv[1], timeout=10).read().decode())'
    const requests = 'import sys, requests\nprint(requests.get(sys.argv[1], timeout=10).text)'
    for (const program of [urllib, ...(has('python3', '-c', 'import requests') ? [requests] : [])]) {
      for (const url of places()) assert.deepEqual(heard(await call('client', ['python3', '-c', program, url])), { name: 'web', by: spiffe('caller') }, url)
    }
  })

  test('a program of a JVM', { skip: has('javac', '-version') ? false : 'skipped: no JDK here' }, async () => {
    await folder.write('Ask.java', `import java.net.*; import java.net.http.*;
public class Ask { public static void main(String[] urls) throws Exception {
  for (String url : urls) System.out.println(HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build().send(HttpRequest.newBuilder(URI.create(url)).build(), HttpResponse.BodyHandlers.ofString()).body()); } }`)
    const ran = await call('client', ['java', '-Xshare:auto', '-XX:TieredStopAtLevel=1', folder.at('Ask.java'), ...places()])
    assert.deepEqual(ran.out.split('\n').map((out) => heard({ ...ran, out })), places().map(() => ({ name: 'web', by: spiffe('caller') })))
  })

  test('a static binary of Go, with a resolver of its own', { skip: has('go', 'version') ? false : 'skipped: no Go here' }, async () => {
    await folder.write('ask.go', `package main
import ("io"; "net"; "os")
func main() { for _, host := range os.Args[1:] {
  c, err := net.Dial("tcp", host + ":80")
  if err != nil { println(err.Error()); os.Exit(1) }
  io.WriteString(c, "GET / HTTP/1.1\\r\\nConnection: close\\r\\nHost: " + host + "\\r\\n\\r\\n")
  io.Copy(os.Stdout, c)
  println()
} }`)
    execFileSync('go', ['build', '-o', folder.at('ask'), folder.at('ask.go')], { env: { ...process.env, CGO_ENABLED: '0', GO111MODULE: 'off', GOFLAGS: '' }, stdio: 'pipe' })
    for (const url of places()) assert.deepEqual(heard(await call('client', [folder.at('ask'), new URL(url).hostname])), { name: 'web', by: spiffe('caller') }, url)
  })

  test('redis-cli speaks to Redis by its name', { skip: noRedis }, async () => {
    assert.equal((await call('client', ['redis-cli', '-h', 'redis', 'PING'])).out, 'PONG')
    assert.equal((await call('client', ['redis-cli', '-h', 'redis.default.svc.cluster.local', 'SET', 'key', 'value'])).out, 'OK')
    assert.equal((await call('client', ['redis-cli', '-h', 'redis', 'GET', 'key'])).out, 'value')
    const log = (): boolean => mesh.accessLog.some((line) => line.includes('outbound|6379||redis.default.svc.cluster.local'))
    await mesh.until('its sidecar has logged it', log)
  })

  test('psql speaks to PostgreSQL by its name', { skip: noPostgres }, async () => {
    const { out, err } = await call('client', ['psql', '-h', 'postgres', '-U', 'trysail', '-d', 'postgres', '-At', '-c', 'select 6 * 7'])
    assert.equal(out, '42', err)
  })

  test('a look-up at another name server is answered by the sidecar all the same', async () => {
    const program = `import socket, struct
name = b''.join(bytes([len(part)]) + part for part in b'web.default.svc.cluster.local'.split(b'.')) + b'\\0'
asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); asking.settimeout(10)
asking.sendto(struct.pack('>HHHHHH', 7, 0x100, 1, 0, 0, 0) + name + struct.pack('>HH', 1, 1), ('192.0.2.53', 53))
print(socket.inet_ntoa(asking.recv(512)[-4:]))`
    assert.equal((await call('client', ['python3', '-c', program])).out, vip)
  })

  test('by IPv6 as by IPv4: services of both families, of IPv6 alone, by their members, and the workload by its own address', { skip: noIpv6 }, async () => {
    const looked = async (name: string): Promise<readonly string[]> => [...new Set((await call('client', ['getent', 'ahosts', name])).out.split('\n').map((line) => line.split(/\s+/)[0] ?? ''))].sort()
    const members = await looked('members')
    const podV6 = (await call('web', ['hostname', '-I'])).out.split(' ').find((one) => one.startsWith('fd'))
    assert.match(members.join(), /^10\.[\d.]+,fd74:[\da-f:]+$/)
    assert.deepEqual([(await looked('both')).length, (await looked('web')).length, await looked('member.members')], [2, 1, members])
    assert.deepEqual(await looked('six.example.test'), ['2001:db8::10'])
    for (const url of ['http://both', 'http://six:9999', 'http://members:9080', 'http://member.members:9080', 'http://six.example.test', 'http://six.example.test:81', `http://[${podV6}]:9080`]) {
      assert.deepEqual(heard(await call('client', ['curl', '-6', '-sS', '-m', '10', url])), { name: url.includes('member') ? 'member' : 'web', by: spiffe('caller') }, url)
    }
    await mesh.until('its sidecar has logged the address, of a stranger', () => mesh.accessLog.some((line) => line.includes(`[${podV6}]:9080`) && line.includes('PassthroughCluster')))
  })

  test('the outside is reached by way of the sidecar, also by a child that nobody watches', async (context) => {
    const own = Object.values(networkInterfaces()).flat().filter((one) => one !== undefined && !one.internal && !one.address.startsWith('fe80'))
    const hosts = (['IPv4', ...(noIpv6 === false ? ['IPv6'] : [])]).flatMap((family) => own.find((one) => one?.family === family)?.address ?? [])
    if (hosts.length === 0) return context.skip('skipped: this machine has no address but loopback')
    for (const host of hosts) {
      const outside = createServer((_, response) => response.end('the outside'))
      await new Promise<void>((resolve) => outside.listen(0, host, resolve))
      const url = `http://${host.includes(':') ? `[${host}]` : host}:${(outside.address() as AddressInfo).port}/`
      try {
        assert.equal((await call('client', ['curl', '-sS', '-m', '10', url])).out, 'the outside')
        assert.equal((await call('client', ['setsid', '-w', 'sh', '-c', `sh -c 'curl -sS -m 10 ${url}child'`])).out, 'the outside')
        await mesh.until('its sidecar has logged both', () => mesh.accessLog.filter((line) => line.includes('PassthroughCluster') && line.includes(host)).length >= 2)
      } finally {
        outside.closeAllConnections()
        outside.close()
      }
    }
  })

  test('datagrams that are no queries go from workload to workload as they are, and never out', async (context) => {
    const echoes = `import socket
at = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); at.bind(('', 7000))
bytes, sender = at.recvfrom(64); at.sendto(bytes + b' from ' + sender[0].encode(), sender)`
    const asks = `import socket, sys
asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); asking.settimeout(0.2)
for _ in range(100):
  try:
    asking.sendto(b'datagram', (sys.argv[1], 7000)); print(asking.recv(64).decode()); break
  except OSError: pass`
    const [, { out }] = await Promise.all([call('web', ['timeout', '25', 'python3', '-c', echoes]), call('client', ['python3', '-c', asks, podIp])])
    assert.equal(out, `datagram from ${(await call('client', ['hostname', '-I'])).out.split(' ')[0]}`)
    const host = Object.values(networkInterfaces()).flat().find((one) => one?.family === 'IPv4' && !one.internal)?.address
    if (host === undefined) return context.skip('skipped in part: this machine has no address but loopback')
    const outside = createSocket('udp4')
    let heard = 0
    outside.on('message', () => heard++)
    await new Promise<void>((resolve) => outside.bind(0, host, resolve))
    const { port } = outside.address()
    try {
      await call('client', ['python3', '-c', `import socket\nfor _ in range(3): socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'out', ('${host}', ${port}))`])
      const here = createSocket('udp4')
      here.send('of this machine', port, host, () => here.close())
      await mesh.until('what this machine sends arrives', () => heard > 0)
      assert.equal(heard, 1)
    } finally {
      outside.close()
    }
  })

  test('what seems to be of the mesh and is not is refused at once', async () => {
    const { code, err } = await call('client', ['curl', '-sS', '-m', '5', 'telnet://10.96.255.254:81'])
    assert.notEqual(code, 28, `it was refused, not awaited: ${err}`)
  })

  test('a program cannot undo its redirect: what it may do is what a container may', async () => {
    const status = spawnSync('grep', ['CapBnd', `/proc/${mesh.pidOf('client')}/status`], { encoding: 'utf8' }).stdout
    const bounding = BigInt(`0x${status.split(/\s+/)[1] ?? '0'}`)
    assert.deepEqual([12n, 13n, 21n].filter((capability) => (bounding >> capability) % 2n === 1n), [], 'CAP_NET_ADMIN, CAP_NET_RAW, CAP_SYS_ADMIN')
  })

  test('under REGISTRY_ONLY the outside is refused, by IP and by name', async () => {
    await mesh.edit(() => mesh.folder.write('mesh/config.yaml', registryOnly))
    for (const url of ['http://192.0.2.1:8099/', 'http://192.0.2.1/', 'https://192.0.2.1/', 'http://[2001:db8::1]:8099/']) {
      const { code, out } = await call('client', ['curl', '-ksS', '-m', '5', '-w', ' %{http_code}', url])
      assert.ok((code !== 0 && code !== 28) || out.endsWith('502'), `${url}: ${code} ${out}`)
    }
    assert.match((await call('client', ['setsid', '-w', 'sh', '-c', "env -i sh -c '/usr/bin/curl -sS -m 5 -w %{http_code} http://192.0.2.1/child'"])).out, /502$/, 'nor a child of a child')
    assert.equal(heard(await call('client', ['curl', '-sS', '-m', '10', 'http://web'])).name, 'web')
    const refused = ['192.0.2.1:8099', ...(noIpv6 === false ? ['[2001:db8::1]:8099'] : [])]
    await mesh.until('its sidecar says why', () => refused.every((at) => mesh.accessLog.some((line) => line.includes('BlackHoleCluster') && line.includes(at))))
  })
})

/** As somebody who may run it: PostgreSQL refuses to be root. */
async function postgres(folder: TempFolder): Promise<string> {
  const asNobody = 'setpriv --reuid 65534 --regid 65534 --clear-groups'
  const data = join(folder.at('pg'))
  execFileSync('sh', ['-c', `chmod 755 ${folder.at('.')} && mkdir ${data} && chown 65534 ${data} && ${asNobody} ${postgresBin}/initdb -D ${data} -U trysail -A trust --no-sync && echo 'host all all all trust' >> ${data}/pg_hba.conf`], { stdio: 'pipe' })
  return `exec ${asNobody} ${postgresBin}/postgres -D ${data} -h 0.0.0.0 -k ${data} -F`
}
