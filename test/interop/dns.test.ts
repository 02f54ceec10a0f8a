// A real resolver (dnsmasq) and real clients (dig, kdig): what is not of the mesh comes through the DNS proxy as it comes from
// the resolver itself, whatever is asked for and however; and what is of the mesh is what those clients take for an answer.
import assert from 'node:assert/strict'
import { execFile, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { after, before, describe, test } from 'node:test'
import { startDns } from '../support/dns-world.ts'
import type { DnsWorld } from '../support/dns-world.ts'
import { freePort } from '../../src/net/reserve-port.ts'

const missing = [['dnsmasq', '--version', 'dnsmasq-base'], ['dig', '-v', 'dnsutils'], ['kdig', '--version', 'knot-dnsutils']].filter(([program, flag]) => spawnSync(program!, [flag!]).error !== undefined)
const skip = missing.length === 0 ? false : `skipped: apt-get install ${missing.map(([, , from]) => from).join(' ')}`

const records = [
  '--host-record=plain.example.net,192.0.2.77,2001:db8::77', '--cname=other.example.net,plain.example.net', '--mx-host=mail.example.net,plain.example.net,10',
  '--srv-host=_sip._tcp.example.net,plain.example.net,5060,1,2', '--caa-record=plain.example.net,0,issue,ca.example.net', '--txt-record=short.example.net,v=one',
  '--naptr-record=naptr.example.net,100,50,s,SIP+D2T,,_sip._tcp.example.net', '--ptr-record=77.2.0.192.in-addr.arpa,plain.example.net',
  // SVCB and HTTPS: priority 1, the name itself, alpn h2.
  ...[64, 65].map((type) => `--dns-rr=svc.example.net,${type},00010000010003026832`), '--dns-rr=odd.example.net,65280,0102ff',
  // Of api.example.com, which the mesh has: other types are the resolver's business.
  '--txt-record=api.example.com,of the resolver', '--dns-rr=api.example.com,65,00010000010003026833',
  ...Array.from({ length: 12 }, (_, i) => `--txt-record=long.example.net,${String(i).padStart(3, 'x').repeat(60)}`),
]

/** As it comes from whoever is asked: all but ids, times, the order of records and where it was asked. */
async function ask(program: 'dig' | 'kdig', port: number, args: readonly string[]): Promise<readonly string[]> {
  const { promise, resolve } = Promise.withResolvers<string>()
  execFile(program, ['@127.0.0.1', '-p', String(port), ...(program === 'dig' ? ['+time=5', '+tries=1'] : ['+time=5', '+retry=0']), ...args], (_, stdout) => resolve(stdout))
  return (await promise).split('\n').filter((line) => line !== '' && !/^; <<>>|^;; (Query time|Time|SERVER|WHEN|From|Received|MSG SIZE)|^; \(1 server/.test(line))
    .map((line) => line.replace(/; COOKIE: .*/, '; COOKIE').replace(/\bid: \d+/, 'id')).toSorted()
}

const questions = [
  'plain.example.net A', 'plain.example.net AAAA', 'PLAIN.example.NET A', 'other.example.net A', 'mail.example.net MX', '_sip._tcp.example.net SRV', 'plain.example.net CAA', 'short.example.net TXT',
  'naptr.example.net NAPTR', '-x 192.0.2.77', 'svc.example.net TYPE64', 'svc.example.net TYPE65', 'odd.example.net TYPE65280', 'plain.example.net ANY', 'plain.example.net TXT', 'nowhere.example.net A', 'nowhere.example.net ANY',
  'long.example.net TXT', '+ignore +bufsize=512 long.example.net TXT', '+ignore +noedns long.example.net TXT', '+tcp long.example.net TXT', '+tcp +noedns plain.example.net A', '+noedns plain.example.net A',
  '+dnssec plain.example.net A', '+norecurse plain.example.net A', '+cdflag plain.example.net A', '+subnet=192.0.2.0/24 plain.example.net A', '+nsid plain.example.net A', '+nocookie plain.example.net A',
  '+ednsopt=65001:0102 plain.example.net A', '+opcode=notify plain.example.net SOA', 'chaos TXT version.bind', 'api.example.com TXT', 'api.example.com TYPE65',
]

describe('a real resolver and real clients', { skip }, () => {
  let world: DnsWorld
  let port: number
  const open = new AsyncDisposableStack()

  before(async () => {
    port = await freePort()
    const resolver = spawn('dnsmasq', ['--conf-file=/dev/null', '--keep-in-foreground', '--no-hosts', '--no-resolv', '--bind-interfaces', '--listen-address=127.0.0.1', `--port=${port}`, '--user=', '--pid-file=', '--edns-packet-max=4096', '--log-facility=-', '--local=/example.net/example.com/in-addr.arpa/', ...records], { stdio: ['ignore', 'ignore', 'pipe'] })
    const ended = once(resolver, 'exit')
    open.defer(async () => {
      resolver.kill('SIGKILL')
      await ended
    })
    let said = ''
    for await (const bytes of resolver.stderr) if ((said += String(bytes)).includes('started')) break
    assert.match(said, /started/)
    world = open.use(await startDns([], { resolvers: () => ({ servers: [{ host: '127.0.0.1', port }], search: ['default.svc.cluster.local'] }) }))
  })

  after(() => open.disposeAsync())

  for (const question of questions) {
    test(`dig ${question}`, async () => {
      const direct = await ask('dig', port, question.split(' '))
      assert.ok(direct.some((line) => line.includes('status: ')), direct.join('\n'))
      assert.deepEqual(await ask('dig', world.at.port, question.split(' ')), direct)
    })
  }

  test('kdig, with every flag of the head, padding and a cookie of its own', async () => {
    for (const question of ['+noedns plain.example.net', '+cookie=0102030405060708 plain.example.net', '+padding=128 plain.example.net AAAA', '+tcp svc.example.net HTTPS', '+zflag +adflag plain.example.net']) {
      assert.deepEqual(await ask('kdig', world.at.port, question.split(' ')), await ask('kdig', port, question.split(' ')), question)
    }
  })

  test('names of the mesh are answers to both, and nothing is amiss with them', async () => {
    for (const program of ['dig', 'kdig'] as const) {
      for (const how of [[], ['+tcp'], ['+noedns'], ['+dnssec']]) {
        const lines = await ask(program, world.at.port, [...how, 'reviews.default.svc.cluster.local', 'A'])
        const text = lines.join('\n')
        assert.match(text, /reviews\.default\.svc\.cluster\.local\.\s+30\s+IN\s+A\s+10\.0\.0\.1/)
        assert.doesNotMatch(text, /WARNING: (?!\.local)|malformed|extra bytes/i) // of .local dig warns by itself
      }
      assert.match((await ask(program, world.at.port, ['+short', 'any.example.org'])).join(), /240\.240\.0\.2/, 'below a wildcard')
      assert.deepEqual(await ask(program, world.at.port, ['+short', 'api.example.com.default.svc.cluster.local']), ['240.240.0.1', 'api.example.com.'], 'with a search domain')
      const whole = await ask(program, world.at.port, ['+short', 'db.default'])
      assert.equal(whole.filter((line) => /^[\d.]+$/.test(line)).length, 300, 'cut to what fits by UDP, and whole when the client comes by TCP')
    }
  })
})
