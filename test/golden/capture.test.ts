// What the packet filter is told for typical settings, in both of its languages, as files that are read in review. With
// UPDATE_GOLDEN=1 they are written anew.
import assert from 'node:assert/strict'
import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { captureSettings } from '../../src/agent/capture/capture-settings.ts'
import type { CaptureSettings } from '../../src/agent/capture/capture-settings.ts'
import { iptablesBackend } from '../../src/agent/capture/iptables-backend.ts'
import { nftBackend } from '../../src/agent/capture/nft-backend.ts'
import { captureRules } from '../../src/agent/capture/rules.ts'

const folder = join(import.meta.dirname, 'capture')

const cases: Readonly<Record<string, Partial<CaptureSettings>>> = {
  'defaults': {},
  'ports-and-ranges': {
    excludeInboundPorts: [15090, 15021, 15020], excludeOutboundPorts: [3306], includeOutboundPorts: [8443],
    includeOutboundRanges: ['10.96.0.0/12', 'fd00::/8'], excludeOutboundRanges: ['10.100.0.0/16'],
  },
  'listed-inbound-ports': { includeInboundPorts: [8080, 9090], includeOutboundRanges: [] },
  'dns': { dnsServers: ['10.96.0.10', 'fd00::a'] },
  'all-dns-by-mark': { dnsServers: '*', proxyUids: [], proxyGids: [], proxyMarks: [1337] },
  'owner-groups': { includeOwnerGroups: ['2000', 'java'], dnsServers: '*' },
  'interfaces': { excludeInterfaces: ['eth1'], virtualInterfaces: ['tap0'], dropInvalid: true },
  'loopback-range': { includeOutboundRanges: ['127.1.2.3/32'], ipv6: false },
  'tproxy': { mode: 'TPROXY', excludeInboundPorts: [15020] },
  'none': { mode: 'NONE' },
}

for (const [name, settings] of Object.entries(cases)) {
  for (const backend of [nftBackend, iptablesBackend]) {
    test(`the rules of ${name} for ${backend.name} are those of its file`, () => {
      const path = join(folder, `${name}.${backend.name}.txt`)
      const text = backend.text(captureRules(captureSettings(settings)))
      if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(path, text)
      assert.equal(text, readFileSync(path, 'utf8'))
    })
  }
}

test('every file belongs to a case', () => {
  const known = Object.keys(cases).flatMap((name) => [`${name}.nft.txt`, `${name}.iptables.txt`])
  assert.deepEqual(readdirSync(folder).sort(), known.sort())
})
