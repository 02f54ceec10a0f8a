import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readSettings } from '../../lib/settings.ts'
import { defaultCapture } from './capture-settings.ts'
import type { CaptureSettings } from './capture-settings.ts'
import { captureFrom, captureSettingsTable } from './settings.ts'

function read(flags: Readonly<Record<string, unknown>>, nameServers: readonly string[] = []): { readonly settings: CaptureSettings; readonly mistakes: readonly string[] } {
  const result = readSettings(captureSettingsTable, { flags })
  assert.ok(result.ok, JSON.stringify(result))
  const mistakes: string[] = []
  return { settings: captureFrom(result.settings, () => nameServers, mistakes), mistakes }
}

test('settings that say nothing are the defaults, less the ports of the proxy itself', () => {
  assert.deepEqual(read({}), { settings: { ...defaultCapture, excludeInboundPorts: [15090, 15021, 15020] }, mistakes: [] })
})

test('every setting reaches its place', () => {
  const { settings, mistakes } = read({
    'interception-mode': 'TPROXY', 'include-inbound-ports': '8080,9090', 'exclude-inbound-ports': '', 'include-outbound-ip-ranges': '10.0.0.0/8,fd00::/8,192.0.2.7',
    'exclude-outbound-ip-ranges': '10.1.0.0/16', 'include-outbound-ports': '8443', 'exclude-outbound-ports': '3306', 'exclude-interfaces': 'eth1', 'reroute-virtual-interfaces': 'tap0',
    'outbound-owner-groups': '2000,java', 'outbound-owner-groups-exclude': '3000', 'proxy-uids': '', 'proxy-gids': '', 'proxy-marks': '7', 'loopback-cidr': '127.0.0.0/8', 'ipv6': 'false', 'drop-invalid': true,
  })
  assert.deepEqual(mistakes, [])
  assert.deepEqual(settings, {
    ...defaultCapture, mode: 'TPROXY', includeInboundPorts: [8080, 9090], includeOutboundRanges: ['10.0.0.0/8', 'fd00::/8', '192.0.2.7/32'], excludeOutboundRanges: ['10.1.0.0/16'],
    includeOutboundPorts: [8443], excludeOutboundPorts: [3306], excludeInterfaces: ['eth1'], virtualInterfaces: ['tap0'], includeOwnerGroups: ['2000', 'java'], excludeOwnerGroups: ['3000'],
    proxyUids: [], proxyGids: [], proxyMarks: [7], loopbackRange: '127.0.0.0/8', ipv6: false, dropInvalid: true,
  })
})

test('an empty list of what is included captures nothing there, * captures all', () => {
  const { settings } = read({ 'include-inbound-ports': '', 'include-outbound-ip-ranges': '' })
  assert.deepEqual([settings.includeInboundPorts, settings.includeOutboundRanges], [[], []])
  assert.equal(read({ 'include-inbound-ports': '8080,*' }).settings.includeInboundPorts, '*')
})

test('DNS is captured for the servers that are named, else for those of resolv.conf, or for any', () => {
  assert.deepEqual(read({}, ['10.96.0.10']).settings.dnsServers, [])
  assert.deepEqual(read({ 'dns-capture': true }, ['10.96.0.10', 'fd00::a%eth0']).settings.dnsServers, ['10.96.0.10'])
  assert.deepEqual(read({ 'dns-capture': true, 'dns-servers': '10.0.0.1' }, ['10.96.0.10']).settings.dnsServers, ['10.0.0.1'])
  assert.equal(read({ 'dns-capture': true, 'dns-servers': '*' }).settings.dnsServers, '*')
})

const refused: readonly (readonly [flags: Readonly<Record<string, unknown>>, mistake: string])[] = [
  [{ 'exclude-outbound-ports': '0' }, '--exclude-outbound-ports: "0" is not a port such as 8080'],
  [{ 'include-inbound-ports': '65536' }, '--include-inbound-ports: "65536" is not a port such as 8080, or *'],
  [{ 'include-outbound-ip-ranges': '10.0.0.0/33' }, '--include-outbound-ip-ranges: "10.0.0.0/33" is not a range such as 10.0.0.0/8, or *'],
  [{ 'exclude-outbound-ip-ranges': 'example.com' }, '--exclude-outbound-ip-ranges: "example.com" is not a range such as 10.0.0.0/8'],
  [{ 'exclude-outbound-ip-ranges': '10.0.0.0/8; flush ruleset' }, '--exclude-outbound-ip-ranges: "10.0.0.0/8; flush ruleset" is not a range such as 10.0.0.0/8'],
  [{ 'exclude-interfaces': 'eth0" accept' }, '--exclude-interfaces: "eth0\\" accept" is not an interface such as eth1'],
  [{ 'outbound-owner-groups': '$(id)' }, '--outbound-owner-groups: "$(id)" is not a group such as 2000 or www-data, or *'],
  [{ 'proxy-uids': 'root' }, '--proxy-uids: "root" is not a number such as 1337'],
  [{ 'proxy-uids': '4294967296' }, '--proxy-uids: "4294967296" is not a number such as 1337'],
  [{ 'loopback-cidr': 'lo' }, '--loopback-cidr: "lo" is not a range such as 127.0.0.1/32'],
  [{ 'dns-capture': true, 'dns-servers': 'dns.example.com' }, '--dns-servers: "dns.example.com" is not an address such as 10.96.0.10, or *'],
  [{ 'dns-capture': true }, 'DNS is to be captured, but /etc/resolv.conf names no server: say --dns-servers, * for any'],
  [{ 'proxy-marks': '7' }, "--proxy-marks: then --proxy-uids and --proxy-gids have to be empty, or the workload's own loopback would be taken for the proxy's"],
  [{ 'interception-mode': 'TPROXY', 'proxy-uids': '', 'proxy-gids': '', 'proxy-marks': '1337' }, "--proxy-marks: 1337 and 1338 are TPROXY's own, choose another one"],
]

for (const [flags, mistake] of refused) {
  test(`${JSON.stringify(flags)} is refused`, () => assert.deepEqual(read(flags).mistakes, [mistake]))
}
