// What is started in the network of a workload, and what it finds there.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Namespace } from '../../../agent/netns/namespace.ts'
import type { Service } from '../../../model/service.ts'
import { netnsEnvironment } from './environment.ts'
import { hosts, resolvConf } from './files.ts'
import { isNetwork, networkOf, processesIn } from './left.ts'
import { captureOf, programCommand, proxyCommand } from './workload.ts'
import type { WantedProcess } from '../wanted-process.ts'

const wanted: WantedProcess = {
  key: 'shop/web', name: 'web', namespace: 'shop', labels: { app: 'web', version: 'v1' }, annotations: {}, serviceAccount: 'web', proxyType: 'sidecar',
  command: ['node', 'web.js', '--x=$(y)'], workingDirectory: '/srv/web shop', env: { LOG: 'info' }, address: '127.0.0.1',
  ports: [{ name: 'http', containerPort: 8080, hostPort: undefined }], probe: undefined, graceMs: 0, origin: { file: 'm.yaml', line: 3, column: 1 },
}
const cell: Pick<Namespace, 'entering'> = { entering: () => ['nsenter', '--target', '7', '--net', '--mount'] }
const place = { cell: cell as Namespace, addresses: ['10.128.0.7', 'fd74:7279:7361::a80:7'], trustDomain: 'cluster.local' }

test('a program is started as it is, without a shell, in its folder and without the rights to undo its redirect', () => {
  const command = programCommand(wanted, cell as Namespace)
  assert.deepEqual(command.slice(0, 6), ['nsenter', '--target', '7', '--net', '--mount', '--'])
  assert.deepEqual(command.slice(-5), ['env', '--chdir=/srv/web shop', 'node', 'web.js', '--x=$(y)'])
  assert.match(command.find((word) => word.startsWith('--bounding-set=')) ?? '', /-net_admin,-net_raw,-sys_admin/)
})

test("root's proxy is Istio's user 1337; without root its packets have a mark, and the rules know it by that", () => {
  const asRoot = proxyCommand(wanted, { ...place, rootless: false, capture: captureOf(wanted, false) })
  assert.ok(asRoot.includes('--reuid=1337') && asRoot.includes('--regid=1337') && asRoot.includes('--capture=netfilter'))
  assert.ok(!asRoot.some((word) => word.startsWith('--proxy-mark')))
  const asUser = proxyCommand(wanted, { ...place, rootless: true, capture: captureOf(wanted, true) })
  assert.ok(!asUser.includes('setpriv') && asUser.includes('--proxy-mark=1339'))
  const { proxyUids, proxyGids, proxyMarks, dnsServers } = captureOf(wanted, true)
  assert.deepEqual({ proxyUids, proxyGids, proxyMarks, dnsServers }, { proxyUids: [], proxyGids: [], proxyMarks: [1339], dnsServers: '*' })
})

test('neither tokens nor keys are on the command line of a proxy', () => {
  const words = proxyCommand(wanted, { ...place, rootless: false, capture: captureOf(wanted, false) }).join(' ')
  assert.doesNotMatch(words, /token|key|certificate|root-ca/)
})

test("annotations leave out what Istio's leave out; a wrong one is said with the Process", () => {
  const settings = captureOf({ ...wanted, annotations: { 'traffic.sidecar.istio.io/excludeOutboundPorts': '5432' } }, false)
  assert.deepEqual(settings.excludeOutboundPorts, [5432])
  assert.ok(!proxyCommand(wanted, { ...place, rootless: false, capture: captureOf({ ...wanted, annotations: { 'sidecar.istio.io/interceptionMode': 'NONE' } }, false) }).includes('--capture=netfilter'))
  assert.equal(captureOf(wanted, false, 'TPROXY').mode, 'TPROXY', "the mesh's")
  assert.equal(captureOf({ ...wanted, annotations: { 'sidecar.istio.io/interceptionMode': 'REDIRECT' } }, false, 'TPROXY').mode, 'REDIRECT')
  assert.throws(() => captureOf({ ...wanted, annotations: { 'traffic.sidecar.istio.io/excludeOutboundPorts': 'all' } }, false), /the annotations of Process shop\/web: traffic\.sidecar\.istio\.io\/excludeOutboundPorts/)
})

test("a program finds what a Pod's finds: addresses of services, its own, and no proxy of this machine", () => {
  const service = { name: 'my-db', namespace: 'shop', registry: 'Kubernetes', addresses: ['10.96.0.9'], ports: [{ name: 'sql', number: 5432, protocol: 'TCP' }] } as unknown as Service
  const other = { ...service, name: 'other', namespace: 'default' } as Service
  const env = netnsEnvironment({ inherited: { HTTPS_PROXY: 'http://127.0.0.1:3128', no_proxy: 'x', HOME: '/root' }, process: wanted, address: '10.128.0.7', services: [service, other] })
  assert.deepEqual(
    Object.fromEntries(Object.entries(env).filter(([name]) => /PROXY|POD|PORT|HOST|HOME|LOG/i.test(name))),
    {
      HOME: '/root', LOG: 'info', POD_IP: '10.128.0.7', POD_NAME: 'web', POD_NAMESPACE: 'shop', HOSTNAME: 'web', PORT: '8080', PORT_HTTP: '8080',
      MY_DB_SERVICE_HOST: '10.96.0.9', MY_DB_SERVICE_PORT: '5432', MY_DB_SERVICE_PORT_SQL: '5432',
    },
  )
})

test('names are asked for as in a Pod, and the control plane has the name that its certificate has', () => {
  const files = { namespace: 'shop', addresses: ['10.128.0.7', 'fd74:7279:7361::a80:7'], domain: 'cluster.local' }
  assert.equal(resolvConf(files), 'search shop.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.192.0.1\noptions ndots:5\n')
  assert.match(hosts(files), /^10\.128\.0\.7\t\S+\nfd74:7279:7361::a80:7\t\S+\n10\.192\.0\.1\tistiod\.istio-system\.svc$/m)
})

test("nothing of this process's own network is ever taken for a workload's", { skip: process.platform === 'linux' ? false : 'namespaces are of Linux' }, () => {
  const own = networkOf(process.pid)
  assert.ok(own !== undefined && isNetwork(own))
  assert.deepEqual(processesIn(own), [])
  assert.deepEqual(['12', 'net:[]', 'net:[1]\n+7', 'mnt:[12]'].map(isNetwork), [false, false, false, false])
})
