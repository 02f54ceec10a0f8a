// Tokens that somebody made to get in: attacks on verifiers of JSON Web Tokens that have worked elsewhere. None of them may be
// taken for good, whatever the reason that is given.
import assert from 'node:assert/strict'
import { createHmac, generateKeyPairSync, sign } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { test } from 'node:test'
import { readKeySet } from './key-set.ts'
import { isToken, readToken } from './token.ts'
import { signatureFailure } from './verify.ts'

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const small = generateKeyPairSync('rsa', { modulusLength: 1024 })
const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' })
const edwards = generateKeyPairSync('ed25519')

const jwk = ({ publicKey }: { readonly publicKey: KeyObject }, more: object = {}): object => ({ ...publicKey.export({ format: 'jwk' }), ...more })
const text = (value: unknown): string => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')
const input = (header: unknown): string => `${text(header)}.${text({ iss: 'a', sub: 'admin' })}`
const withSignature = (header: unknown, signature: Buffer): string => `${input(header)}.${signature.toString('base64url')}`
const rs256 = (header: object, key = rsa.privateKey): string => withSignature({ alg: 'RS256', ...header }, sign('sha256', Buffer.from(input({ alg: 'RS256', ...header })), key))
const es256 = (header: object, dsaEncoding: 'ieee-p1363' | 'der' = 'ieee-p1363'): string => withSignature({ alg: 'ES256', ...header }, sign('sha256', Buffer.from(input({ alg: 'ES256', ...header })), { key: p256.privateKey, dsaEncoding }))

/** What is said of it; undefined: it is taken. */
async function failureOf(token: string, ...keys: readonly object[]): Promise<string | undefined> {
  const read = readToken(token)
  return isToken(read) ? await signatureFailure(read, readKeySet(JSON.stringify({ keys }))) : read
}

/** The order of P-256. */
const order = Buffer.from('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551', 'hex')
const zero = Buffer.alloc(32)
const one = Buffer.concat([Buffer.alloc(31), Buffer.from([1])])
const pem = rsa.publicKey.export({ format: 'pem', type: 'spki' })
const der = rsa.publicKey.export({ format: 'der', type: 'spki' })
const hmac = (secret: string | Buffer): string => withSignature({ alg: 'HS256' }, createHmac('sha256', secret).update(input({ alg: 'HS256' })).digest())

const attacks: readonly (readonly [title: string, token: string, ...keys: object[]])[] = [
  ['no signature, by its own word', withSignature({ alg: 'none' }, Buffer.from('x')), jwk(rsa)],
  ['no signature, spelled in another way', withSignature({ alg: 'NonE' }, Buffer.from('x')), jwk(rsa)],
  ['two algorithms, of which one is none', `${text('{"alg":"RS256","alg":"none"}')}.${text({})}.${text('x')}`, jwk(rsa)],
  ['an algorithm in small letters', rs256({ alg: 'rs256' }), jwk(rsa)],
  ['the public key as a shared secret, PEM', hmac(pem.toString()), jwk(rsa)],
  ['the public key as a shared secret, DER', hmac(der), jwk(rsa)],
  ['the public key as a shared secret, for keys without an algorithm', hmac(pem.toString().trim()), jwk(rsa), jwk(p256)],
  ['an empty shared secret', hmac(''), jwk(rsa)],
  ['its own key in its header', rs256({ jwk: jwk(generateKeyPairSync('rsa', { modulusLength: 2048 })) }, generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey), jwk(rsa)],
  ['the address of a key in its header', rs256({ jku: 'http://127.0.0.1:1/keys', x5u: 'http://127.0.0.1:1/cert' }, p384.privateKey), jwk(rsa)],
  ['a key id that is a path', rs256({ kid: '../../dev/null' }), jwk(rsa, { kid: 'one' })],
  ['extensions that must be understood', rs256({ crit: ['http://example.com/x'], 'http://example.com/x': true }), jwk(rsa)],
  ['a payload that is not encoded', rs256({ crit: ['b64'], b64: false }), jwk(rsa)],
  ['an empty list of extensions', rs256({ crit: [] }), jwk(rsa)],
  ['an ECDSA signature of zeros', withSignature({ alg: 'ES256' }, Buffer.concat([zero, zero])), jwk(p256)],
  ['an ECDSA signature (1, 0)', withSignature({ alg: 'ES256' }, Buffer.concat([one, zero])), jwk(p256)],
  ['an ECDSA signature (n, n)', withSignature({ alg: 'ES256' }, Buffer.concat([order, order])), jwk(p256)],
  ['an ECDSA signature in DER', es256({}, 'der'), jwk(p256)],
  ['an ECDSA signature that is too short', withSignature({ alg: 'ES256' }, Buffer.concat([one, one]).subarray(0, 63)), jwk(p256)],
  ['an ECDSA signature with a tail', `${es256({})}AAAA`, jwk(p256)],
  ['a key of another curve', withSignature({ alg: 'ES256' }, sign('sha256', Buffer.from(input({ alg: 'ES256' })), { key: p384.privateKey, dsaEncoding: 'ieee-p1363' })), jwk(p384)],
  ['another algorithm than its key is for', es256({}), jwk(p256, { alg: 'ES384' })],
  ['an RSA key of 1024 bits', rs256({}, small.privateKey), jwk(small)],
  ['PKCS #1 where PSS is said', withSignature({ alg: 'PS256' }, sign('sha256', Buffer.from(input({ alg: 'PS256' })), rsa.privateKey)), jwk(rsa)],
  ['PSS where PKCS #1 is said', withSignature({ alg: 'RS256' }, sign('sha256', Buffer.from(input({ alg: 'RS256' })), { key: rsa.privateKey, padding: 6, saltLength: 32 })), jwk(rsa)],
  ['an RSA signature of zeros', withSignature({ alg: 'RS256' }, Buffer.alloc(256)), jwk(rsa)],
  ['an RSA signature of one', withSignature({ alg: 'RS256' }, Buffer.concat([Buffer.alloc(255), Buffer.from([1])])), jwk(rsa)],
  ['an Ed25519 signature of zeros', withSignature({ alg: 'EdDSA' }, Buffer.alloc(64)), jwk(edwards)],
  ['an Ed25519 signature for another curve', withSignature({ alg: 'EdDSA' }, Buffer.alloc(114)), jwk(edwards)],
  ['a header of another token', `${text({ alg: 'RS256', kid: 'x' })}.${rs256({}).split('.').slice(1).join('.')}`, jwk(rsa)],
  ['a payload of another token', rs256({}).split('.').toSpliced(1, 1, text({ iss: 'b' })).join('.'), jwk(rsa)],
  ['white space between its parts', rs256({}).replace('.', ' .'), jwk(rsa)],
  ['an encryption in the same form', 'eyJhbGciOiJkaXIiLCJlbmMiOiJBMTI4R0NNIn0..AAAA.AAAA.AAAA', jwk(rsa)],
]

for (const [title, token, ...keys] of attacks) {
  test(`a token with ${title} is not taken`, async () => {
    assert.notEqual(await failureOf(token, ...keys), undefined)
  })
}

test('those that they were made of are', async () => {
  assert.deepEqual(await Promise.all([failureOf(rs256({}), jwk(rsa)), failureOf(es256({}), jwk(p256)), failureOf(rs256({ kid: 'one', typ: 'at+jwt', jku: 'http://x.example' }), jwk(rsa, { kid: 'one' }))]), [undefined, undefined, undefined])
})
