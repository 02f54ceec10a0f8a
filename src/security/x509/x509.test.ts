import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { X509Certificate, generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { hasCode, MeshError } from '../../lib/errors.ts'
import { DerReader } from './der-reader.ts'
import { element, oid, time, unsigned } from './der-writer.ts'
import { issueRoot, issueServer, issueWorkload } from './issue.ts'
import { openIssuer, readCertificate } from './issuer.ts'
import { exportKey, generateKey, publicKeyInfo } from './key.ts'
import { addressBytes } from './names.ts'
import { fromPem, splitCertificates, toPem } from './pem.ts'
import { createRequest, readRequest } from './request.ts'

const id = 'spiffe://cluster.local/ns/default/sa/reviews'
const day = 86_400_000
const now = Date.now()
const folder = mkdtempSync(join(tmpdir(), 'trysail-x509-'))
process.once('exit', () => rmSync(folder, { recursive: true, force: true }))

const rootKey = generateKey()
const root = issueRoot(rootKey, 'cluster.local', { notBefore: now - 1000, notAfter: now + 3650 * day })
const issuer = openIssuer(root.pem, exportKey(rootKey))
const validity = { notBefore: now - 120_000, notAfter: now + day }

function file(name: string, text: string): string {
  writeFileSync(join(folder, name), text)
  return join(folder, name)
}

const openssl = (...args: string[]): string => execFileSync('openssl', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
const opensslRequest = (pem: string): string => openssl('req', '-in', file('request.pem', pem), '-verify', '-noout', '-text')
const opensslText = (pem: string): string => openssl('x509', '-in', file('leaf.pem', pem), '-noout', '-text')
const verifies = (leaf: string, purpose: string): string =>
  openssl('verify', '-x509_strict', '-purpose', purpose, '-CAfile', file('root.pem', root.pem), file('leaf.pem', leaf))

function rsaKey(bits: number) {
  return generateKeyPairSync('rsa', { modulusLength: bits }).privateKey
}

test('the root is a CA for ten years, named by its trust domain', () => {
  const certificate = new X509Certificate(root.pem)
  assert.equal(certificate.subject, 'O=cluster.local')
  assert.equal(certificate.ca, true)
  assert.ok(certificate.verify(certificate.publicKey))
  assert.equal(certificate.serialNumber, root.serial)
  assert.match(openssl('x509', '-in', file('root.pem', root.pem), '-noout', '-text'), /CA:TRUE[\s\S]*Certificate Sign, CRL Sign/)
  assert.match(openssl('verify', '-x509_strict', '-CAfile', join(folder, 'root.pem'), join(folder, 'root.pem')), /: OK/)
})

const keys = [
  { title: 'EC P-256', key: generateKey() },
  { title: 'EC P-384', key: generateKeyPairSync('ec', { namedCurve: 'secp384r1' }).privateKey },
  { title: 'RSA-2048', key: rsaKey(2048) },
]
for (const { title, key } of keys) {
  test(`a request with a key of ${title} is good for openssl, and its certificate verifies for both ends`, () => {
    const pem = createRequest(key, id)
    assert.match(opensslRequest(pem), new RegExp(`Subject: *\\n[\\s\\S]*critical\\s+URI:${id}`))
    const request = readRequest(pem)
    assert.deepEqual(request.asked.uris, [id])
    const issued = issueWorkload(issuer, request.spki, id, validity)
    for (const purpose of ['sslserver', 'sslclient']) assert.match(verifies(issued.pem, purpose), /: OK/)
    const certificate = new X509Certificate(issued.pem)
    assert.ok(certificate.checkPrivateKey(key))
    assert.ok(certificate.checkIssued(new X509Certificate(root.pem)))
    assert.equal(certificate.subjectAltName, `URI:${id}`)
    assert.equal(certificate.serialNumber, issued.serial)
    assert.equal(certificate.subject ?? '', '')
    assert.equal(certificate.ca, false)
    assert.equal(Date.parse(certificate.validTo), Math.floor(validity.notAfter / 1000) * 1000)
    assert.match(opensslText(issued.pem), /Digital Signature, Key Encipherment[\s\S]*TLS Web Server Authentication, TLS Web Client Authentication[\s\S]*Alternative Name: critical/)
  })
}

test('a certificate is signed by an RSA authority too', () => {
  const key = rsaKey(2048)
  const rsaRoot = issueRoot(key, 'cluster.local', { notBefore: now, notAfter: now + day })
  const leaf = issueWorkload(openIssuer(rsaRoot.pem, exportKey(key)), publicKeyInfo(keys[0]!.key), id, { notBefore: now, notAfter: now + day })
  assert.match(openssl('verify', '-CAfile', file('rsa.pem', rsaRoot.pem), file('leaf.pem', leaf.pem)), /: OK/)
})

test('a leaf names the key of its issuer as the issuer does, also where that is not a hash of the key', () => {
  const config = '[req]\ndistinguished_name=d\nx509_extensions=x\n[d]\n[x]\nbasicConstraints=critical,CA:true\nsubjectKeyIdentifier=01:02:03:04\nkeyUsage=keyCertSign\n'
  const keyFile = file('other.key', exportKey(rootKey))
  openssl('req', '-x509', '-new', '-key', keyFile, '-days', '2', '-subj', '/O=other/CN=plugged in', '-config', file('other.cnf', config), '-out', join(folder, 'other.pem'))
  const pem = openssl('x509', '-in', join(folder, 'other.pem'))
  const leaf = issueWorkload(openIssuer(pem, exportKey(rootKey)), publicKeyInfo(keys[0]!.key), id, validity)
  assert.match(opensslText(leaf.pem), /Authority Key Identifier:\s+(keyid:)?01:02:03:04/)
  assert.match(openssl('verify', '-CAfile', join(folder, 'other.pem'), file('leaf.pem', leaf.pem)), /: OK/)
})

test('the certificate of a server has its names and addresses, and is not good for a client', () => {
  const names = { dnsNames: ['istiod.istio-system.svc', 'localhost'], addresses: ['127.0.0.1', '::1', 'fe80::1:2.3.4.5'] }
  const { pem } = issueServer(issuer, publicKeyInfo(keys[0]!.key), names, validity)
  const certificate = new X509Certificate(pem)
  assert.equal(certificate.checkHost('istiod.istio-system.svc'), 'istiod.istio-system.svc')
  assert.equal(certificate.checkIP('127.0.0.1'), '127.0.0.1')
  assert.equal(certificate.checkIP('::1'), '::1')
  assert.equal(certificate.checkHost('elsewhere.test'), undefined)
  assert.match(verifies(pem, 'sslserver'), /: OK/)
  assert.throws(() => verifies(pem, 'sslclient'))
})

test('a request made by openssl is read, with the names that it asks for', () => {
  const keyFile = file('own.key', exportKey(keys[2]!.key))
  const pem = openssl('req', '-new', '-key', keyFile, '-subj', '/CN=who/O=cares', '-addext', 'subjectAltName=DNS:a.test,URI:spiffe://x/ns/y/sa/z', '-sha512')
  assert.deepEqual(readRequest(pem).asked, { uris: ['spiffe://x/ns/y/sa/z'], dnsNames: ['a.test'], addresses: [] })
  assert.deepEqual(readRequest(openssl('req', '-new', '-key', keyFile, '-subj', '/CN=bare')).asked, { uris: [], dnsNames: [], addresses: [] })
})

function codeOf(run: () => unknown): string {
  try {
    run()
    return 'nothing thrown'
  } catch (error) {
    return error instanceof MeshError ? error.code : String(error)
  }
}

function swapped(pem: string, from: Buffer, to: Buffer): string {
  const der = fromPem('CERTIFICATE REQUEST', pem)
  const at = der.indexOf(from)
  assert.ok(at > 0 && from.length === to.length)
  to.copy(der, at)
  return toPem('CERTIFICATE REQUEST', der)
}

const good = createRequest(keys[0]!.key, id)
const requestOf = (...args: string[]): string => openssl('req', '-new', '-nodes', '-subj', '/CN=a', '-keyout', join(folder, 'throwaway.key'), ...args)
const refusals = [
  { title: 'with the key of somebody else', pem: () => swapped(good, publicKeyInfo(keys[0]!.key).subarray(27), publicKeyInfo(rootKey).subarray(27)), code: 'x509/csr' },
  { title: 'whose names were changed after it was signed', pem: () => swapped(good, Buffer.from('sa/reviews'), Buffer.from('sa/ratings')), code: 'x509/csr' },
  { title: 'with a weak RSA key', pem: () => requestOf('-newkey', 'rsa:1024'), code: 'x509/key' },
  { title: 'with a key that is neither EC nor RSA', pem: () => requestOf('-newkey', 'ed25519'), code: 'x509/key' },
  { title: 'with an exotic curve', pem: () => requestOf('-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:secp256k1'), code: 'x509/key' },
  { title: 'signed with SHA-1', pem: () => requestOf('-newkey', 'rsa:2048', '-sha1'), code: 'x509/csr' },
  { title: 'that is a certificate', pem: () => root.pem, code: 'x509/pem' },
  { title: 'with bytes after its end', pem: () => toPem('CERTIFICATE REQUEST', Buffer.concat([fromPem('CERTIFICATE REQUEST', good), Buffer.from([0])])), code: 'x509/der' },
  { title: 'that is cut off', pem: () => toPem('CERTIFICATE REQUEST', fromPem('CERTIFICATE REQUEST', good).subarray(0, -1)), code: 'x509/der' },
  { title: 'of a megabyte', pem: () => `${good}${' '.repeat(1 << 20)}`, code: 'x509/pem' },
  { title: 'that is empty', pem: () => '', code: 'x509/pem' },
]
for (const { title, pem, code } of refusals) {
  test(`a request ${title} is refused as ${code}`, () => assert.equal(codeOf(() => readRequest(pem())), code))
}

test('whatever is done to a request, nothing but an X509Error comes out, and no other name is vouched for', () => {
  const der = fromPem('CERTIFICATE REQUEST', good)
  const change = fc.record({ at: fc.nat(der.length - 1), to: fc.nat(255) })
  fc.assert(fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), fc.nat(der.length), (changes, length) => {
    const bytes = Buffer.from(der.subarray(0, length < 20 ? length : undefined))
    for (const { at, to } of changes) if (at < bytes.length) bytes[at] = to
    if (bytes.equals(der)) return
    assert.match(codeOf(() => readRequest(toPem('CERTIFICATE REQUEST', bytes))), /^x509\//)
  }), { numRuns: 3000 })
})

test('random bytes are an X509Error to every reader', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), fc.string(), (bytes, text) => {
    for (const pem of [text, toPem('CERTIFICATE REQUEST', bytes)]) assert.match(codeOf(() => readRequest(pem)), /^x509\//)
    for (const pem of [text, toPem('CERTIFICATE', bytes)]) assert.match(codeOf(() => readCertificate(pem)), /^x509\//)
  }))
})

test('a key that does not belong to the certificate of a CA is refused, and so is the certificate of a leaf', () => {
  assert.throws(() => openIssuer(root.pem, exportKey(keys[0]!.key)), { code: 'x509/mismatch' })
  const leaf = issueWorkload(issuer, publicKeyInfo(rootKey), id, validity)
  assert.throws(() => openIssuer(leaf.pem, exportKey(rootKey)), { code: 'x509/key' })
  assert.throws(() => openIssuer(root.pem, 'no key'), { code: 'x509/key' })
})

test('names that are not visible ASCII are never written', () => {
  for (const uri of ['spiffe://a/ns/b/sa/\u00e9', 'spiffe://a\0b', 'a b', '']) {
    assert.throws(() => issueWorkload(issuer, publicKeyInfo(rootKey), uri, validity), (error) => hasCode(error, 'x509/csr'))
  }
})

test('a PEM block is the same again, also when its last line is full', () => {
  for (const length of [1, 47, 48, 49, 96, 1000]) {
    const der = Buffer.alloc(length, 7)
    const pem = toPem('CERTIFICATE', der)
    assert.doesNotMatch(pem, /\n\n/)
    assert.deepEqual(fromPem('CERTIFICATE', pem), der)
  }
  assert.deepEqual(splitCertificates(`# a comment\n${root.pem}text\n${root.pem}`), [root.pem, root.pem])
})

test('times are UTCTime up to 2049 and GeneralizedTime from 2050', () => {
  assert.equal(time(Date.UTC(2049, 11, 31, 23, 59, 59)).toString('latin1'), '\x17\x0d491231235959Z')
  assert.equal(time(Date.UTC(2050, 0, 1)).toString('latin1'), '\x18\x0f20500101000000Z')
})

const addresses: readonly [string, string | undefined][] = [
  ['127.0.0.1', '7f000001'], ['::1', `${'00'.repeat(15)}01`], ['2001:db8::8:800:200c:417a', '20010db80000000000080800200c417a'], ['::', '00'.repeat(16)],
  ['1:2:3:4:5:6:7:8', '00010002000300040005000600070008'], ['256.1.1.1', undefined], ['1.2.3', undefined], ['1::2::3', undefined], ['1:2:3', undefined], ['g::', undefined], ['', undefined],
]
for (const [text, hex] of addresses) {
  test(`${JSON.stringify(text)} is ${hex === undefined ? 'no address' : 'an address'}`, () => {
    if (hex === undefined) assert.throws(() => addressBytes(text), { code: 'x509/csr' })
    else assert.equal(addressBytes(text).toString('hex'), hex)
  })
}

test('what the writer wrote, the reader reads', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 70_000 }), (bytes) => {
    const { content } = new DerReader(element(4, bytes), 'test').take(4)
    assert.ok(content.equals(bytes))
  }), { numRuns: 50 })
  assert.equal(new DerReader(oid('1.2.840.113549.1.1.11'), 'test').oid(), '1.2.840.113549.1.1.11')
  assert.equal(unsigned(Buffer.from([0, 0, 0x80])).toString('hex'), '02020080')
})

const brokenLengths = [
  { title: 'indefinite', hex: '30800000' }, { title: 'longer than need be', hex: '30810100' }, { title: 'with a leading zero', hex: '3082000100' },
  { title: 'past the end', hex: '3002ff' }, { title: 'of four bytes', hex: '3084ffffffff' },
]
for (const { title, hex } of brokenLengths) {
  test(`a length that is ${title} is refused`, () => assert.throws(() => new DerReader(Buffer.from(hex, 'hex'), 'test').any(), { code: 'x509/der' }))
}
