// Tokens against the examples of the RFCs, and what is no token, in Envoy's words.
import assert from 'node:assert/strict'
import { generateKeyPairSync, sign } from 'node:crypto'
import { test } from 'node:test'
import { claimAt, claimText, withLists } from './claims.ts'
import { failureText } from './failure.ts'
import { readKeySet } from './key-set.ts'
import { isToken, readToken, timeFailure } from './token.ts'
import type { Token } from './token.ts'
import { signatureFailure } from './verify.ts'

const joe = 'eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ'
const frodo = 'SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb250byB0aGUgcm9hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4'
const bilboRsa = { kty: 'RSA', kid: 'bilbo.baggins@hobbiton.example', use: 'sig', e: 'AQAB', n: 'n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_AJmSCpMaJMRBSFKrKb2wqVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpPe7Tpe-OfVfHd1E6cS6M1FZcD1NNLYD5lFHpPI9bTwJlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU4fg_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__kRhuaxwUkRz5iaiQkqgc5gHdrNP5zw' }

interface Vector {
  readonly title: string
  readonly key: object
  readonly token: string
}

const vectors: readonly Vector[] = [
  { title: 'RFC 7515 A.1, HS256', key: { kty: 'oct', k: 'AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow' },
    token: `eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.${joe}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk` },
  { title: 'RFC 7515 A.2, RS256', key: { kty: 'RSA', e: 'AQAB', n: 'ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ' },
    token: `eyJhbGciOiJSUzI1NiJ9.${joe}.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw` },
  { title: 'RFC 7515 A.3, ES256', key: { kty: 'EC', crv: 'P-256', x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU', y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0' },
    token: `eyJhbGciOiJFUzI1NiJ9.${joe}.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q` },
  { title: 'RFC 7520 4.1, RS256', key: bilboRsa,
    token: `eyJhbGciOiJSUzI1NiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9.${frodo}.MRjdkly7_-oTPTS3AXP41iQIGKa80A0ZmTuV5MEaHoxnW2e5CZ5NlKtainoFmKZopdHM1O2U4mwzJdQx996ivp83xuglII7PNDi84wnB-BDkoBwA78185hX-Es4JIwmDLJK3lfWRa-XtL0RnltuYv746iYTh_qHRD68BNt1uSNCrUCTJDt5aAE6x8wW1Kt9eRo4QPocSadnHXFxnt8Is9UzpERV0ePPQdLuW3IS_de3xyIrDaLGdjluPxUAhb6L2aXic1U12podGU0KLUQSE_oI-ZnmKJ3F4uOZDnd6QZWJushZ41Axf_fcIe8u9ipH84ogoree7vjbU5y18kDquDg` },
  { title: 'RFC 7520 4.2, PS384', key: bilboRsa,
    token: `eyJhbGciOiJQUzM4NCIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9.${frodo}.cu22eBqkYDKgIlTpzDXGvaFfz6WGoz7fUDcfT0kkOy42miAh2qyBzk1xEsnk2IpN6-tPid6VrklHkqsGqDqHCdP6O8TTB5dDDItllVo6_1OLPpcbUrhiUSMxbbXUvdvWXzg-UD8biiReQFlfz28zGWVsdiNAUf8ZnyPEgVFn442ZdNqiVJRmBqrYRXe8P_ijQ7p8Vdz0TTrxUeT3lm8d9shnr2lfJT8ImUjvAA2Xez2Mlp8cBE5awDzT0qI0n6uiP1aCN_2_jLAeQTlqRHtfa64QQSUmFAAjVKPbByi7xho0uTOcbH510a6GYmJUAfmWjwZ6oD4ifKo8DYM-X72Eaw` },
  { title: 'RFC 7520 4.3, ES512', key: { kty: 'EC', kid: 'bilbo.baggins@hobbiton.example', use: 'sig', crv: 'P-521', x: 'AHKZLLOsCOzz5cY97ewNUajB957y-C-U88c3v13nmGZx6sYl_oJXu9A5RkTKqjqvjyekWF-7ytDyRXYgCF5cj0Kt', y: 'AdymlHvOiLxXkEhayXQnNCvDX4h9htZaCJN34kfmC6pV5OhQHiraVySsUdaQkAgDPrwQrJmbnX9cwlGfP-HqHZR1' },
    token: `eyJhbGciOiJFUzUxMiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9.${frodo}.AE_R_YZCChjn4791jSQCrdPZCNYqHXCTZH0-JZGYNlaAjP2kqaluUIIUnC9qvbu9Plon7KRTzoNEuT4Va2cmL1eJAQy3mtPBu_u_sDDyYjnAMDxXPn7XrT0lw-kvAD890jl8e2puQens_IEKBpHABlsbEPX6sFY8OcGDqoRuBomu9xQ2` },
  { title: 'RFC 8037 A.4, EdDSA', key: { kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' },
    token: 'eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg' },
]

const sections = (text: string): [string, string, string] => text.split('.') as [string, string, string]
const decoded = (section: string): Record<string, unknown> => JSON.parse(Buffer.from(section, 'base64url').toString()) as Record<string, unknown>

/** Some examples carry plain texts, which are no claims: as much of a token as signatures need. */
function signedToken(text: string): Token {
  const [head, payloadText, signature] = sections(text)
  const header = decoded(head)
  return {
    text, header, payload: {}, payloadText, algorithm: String(header['alg']), keyId: typeof header['kid'] === 'string' ? header['kid'] : '', issuer: '', audiences: [],
    notBefore: 0, expires: 0, signatureBytes: Buffer.byteLength(signature, 'base64url'),
  }
}

/** Another value in the first of the signature's characters. */
function forged(text: string): string {
  const [head, payload, signature] = sections(text)
  return `${head}.${payload}.${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`
}

for (const { title, key, token } of vectors) {
  test(`${title}: the signature verifies, and a forged one does not`, async () => {
    const keys = readKeySet(JSON.stringify({ keys: [key] }))
    assert.deepEqual(keys.problems, [])
    assert.equal(await signatureFailure(signedToken(token), keys), undefined)
    assert.equal(await signatureFailure(signedToken(forged(token)), keys), 'wrongSignature')
    assert.equal(await signatureFailure(signedToken(token), readKeySet(JSON.stringify({ keys: [{ ...key, kid: 'bilbo.baggins@hobbiton.example', alg: 'none' }] }))), 'noKeys')
  })
}

test('the token of RFC 7515 A.2 is read, and has expired', () => {
  const token = readToken(vectors[1]!.token)
  assert.ok(isToken(token))
  assert.deepEqual([token.algorithm, token.keyId, token.issuer, token.expires, token.payload['http://example.com/is_root']], ['RS256', '', 'joe', 1_300_819_380, true])
  assert.equal(timeFailure(token, 1_300_819_380 + 60, 60), undefined)
  assert.equal(timeFailure(token, 1_300_819_380 + 61, 60), 'expired')
})

const text = (value: unknown): string => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')
const tokenOf = (payload: unknown, header: unknown = { alg: 'RS256' }): string => `${text(header)}.${text(payload)}.c2ln`

const broken: readonly (readonly [title: string, token: string, says: string])[] = [
  ['nothing', '', 'Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections'],
  ['two sections', 'a.b', 'Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections'],
  ['four sections', 'a.b.c.d', 'Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections'],
  ['no signature', `${text({ alg: 'RS256' })}.${text({})}.`, 'Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections'],
  ['a header of other characters', `${text({ alg: 'RS256' })}!.${text({})}.c2ln`, 'Jwt header is an invalid Base64url encoded'],
  ['a header of a wrong length', 'abcde.b.c', 'Jwt header is an invalid Base64url encoded'],
  ['a header that is no JSON', tokenOf({}, 'x'), 'Jwt header is an invalid JSON'],
  ['a header that is a list', tokenOf({}, []), 'Jwt header is an invalid JSON'],
  ['no algorithm', tokenOf({}, {}), 'Jwt header [alg] field is required and must be a string'],
  ['no signature by its own word', tokenOf({}, { alg: 'none' }), 'Jwt header [alg] is not supported'],
  ['an algorithm that nobody has', tokenOf({}, { alg: 'ES256K' }), 'Jwt header [alg] is not supported'],
  ['a key id that is none', tokenOf({}, { alg: 'RS256', kid: 1 }), 'Jwt header [kid] field is not a string'],
  ['a payload of other characters', `${text({ alg: 'RS256' })}.$.c2ln`, 'Jwt payload is an invalid Base64url encoded'],
  ['a payload that is no JSON', tokenOf('nothing'), 'Jwt payload is an invalid JSON'],
  ['an issuer that is none', tokenOf({ iss: 1 }), 'Jwt payload [iss] field is not a string'],
  ['a subject that is none', tokenOf({ sub: [] }), 'Jwt payload [sub] field is not a string'],
  ['an expiry that is none', tokenOf({ exp: 'soon' }), 'Jwt payload [exp] field is not an integer'],
  ['an expiry before time began', tokenOf({ exp: -1 }), 'Jwt payload [exp] field is not a positive 64 bit integer'],
  ['an id that is none', tokenOf({ jti: 1 }), 'Jwt payload [jti] field is not a string'],
  ['an audience that is none', tokenOf({ aud: [1] }), 'Jwt payload [aud] field is not a string or string list'],
  ['a signature of other characters', `${text({ alg: 'RS256' })}.${text({})}.%`, 'Jwt signature is an invalid Base64url encoded'],
]
for (const [title, token, says] of broken) {
  test(`of tokens, ${title} is said in Envoy's words`, () => {
    const read = readToken(token)
    assert.ok(!isToken(read))
    assert.equal(failureText(read), says)
  })
}

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const jwkOf = (key: typeof rsa.publicKey, more: object): object => ({ ...key.export({ format: 'jwk' }), ...more })

function rs256(header: object): Token {
  const signed = `${text({ alg: 'RS256', ...header })}.${text({ iss: 'a' })}`
  const read = readToken(`${signed}.${sign('sha256', Buffer.from(signed), rsa.privateKey).toString('base64url')}`)
  assert.ok(isToken(read))
  return read
}

test('a token is tried with the key that it names, or with all that could be meant', async () => {
  const failure = (token: Token, ...keys: object[]) => signatureFailure(token, readKeySet(JSON.stringify({ keys })))
  assert.equal(await failure(rs256({ kid: 'one' }), jwkOf(rsa.publicKey, { kid: 'one' })), undefined)
  assert.equal(await failure(rs256({ kid: 'two' }), jwkOf(rsa.publicKey, { kid: 'one' })), 'noMatchingKey')
  assert.equal(await failure(rs256({ kid: 'two' }), jwkOf(rsa.publicKey, {})), undefined)
  assert.equal(await failure(rs256({}), jwkOf(ec.publicKey, { kid: 'a' }), jwkOf(rsa.publicKey, { kid: 'b' })), undefined)
  assert.equal(await failure(rs256({}), jwkOf(rsa.publicKey, { alg: 'RS512' })), 'noMatchingKey')
  assert.equal(await failure(rs256({}), jwkOf(ec.publicKey, {})), 'wrongSignature')
})

test('a public key is never taken for a shared secret', async () => {
  const pem = rsa.publicKey.export({ format: 'pem', type: 'spki' }).toString()
  const { createHmac } = await import('node:crypto')
  const signed = `${text({ alg: 'HS256' })}.${text({ iss: 'a' })}`
  const token = readToken(`${signed}.${createHmac('sha256', pem).update(signed).digest('base64url')}`)
  assert.ok(isToken(token))
  assert.equal(await signatureFailure(token, readKeySet(JSON.stringify({ keys: [jwkOf(rsa.publicKey, {})] }))), 'wrongSignature')
})

test('keys that cannot check signatures are passed over, each with its reason, and private parts are dropped', () => {
  const { keys, problems } = readKeySet(JSON.stringify({ keys: [
    { kty: 'RSA', use: 'enc', n: 'AQAB', e: 'AQAB' }, { kty: 'RSA', alg: 'RSA-OAEP', n: 'AQAB', e: 'AQAB' }, { kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA' }, 7, { kty: 'x' },
    rsa.privateKey.export({ format: 'jwk' }),
  ] }))
  assert.deepEqual(keys.map(({ type, key }) => [type, key.type]), [['RSA', 'public']])
  assert.equal(problems.length, 5)
  for (const [index, word] of ['encryption', 'RSA-OAEP', 'key 2', 'no object', 'kty "x"'].entries()) assert.match(problems[index]!, new RegExp(word))
})

test('what is no key set has no keys, and says why', () => {
  const cases = [['', 'no JSON'], ['[]', 'no JSON object'], ['{}', 'no field keys'], ['{"keys":{}}', 'not a list'], ['{"keys":[]}', 'no keys'], [`{"keys":"${'a'.repeat(1024 * 1024)}"}`, 'more than']] as const
  for (const [document, why] of cases) {
    const { keys, problems } = readKeySet(document)
    assert.equal(keys.length, 0)
    assert.match(problems[0]!, new RegExp(why), document.slice(0, 20))
  }
})

test('claims are found by path, made texts of, and never those of a prototype', () => {
  const payload = { a: { b: { c: 'deep' } }, n: 12.5, big: 2 ** 53, yes: false, list: ['a'], line: 'a\r\nb' }
  assert.equal(claimAt(payload, 'a.b.c'), 'deep')
  for (const path of ['a.c', 'constructor', '__proto__', 'a.b.c.d', 'list.length']) assert.equal(claimAt(payload, path), undefined, path)
  assert.deepEqual([payload.n, payload.big, payload.yes, 'x', payload.list, payload.line, ''].map(claimText), ['12.500000', '9007199254740992', 'false', 'x', 'WyJhIl0=', undefined, undefined])
  assert.deepEqual(withLists({ scope: 'a  b', sub: 'c d' }, ['scope', 'other']), { scope: ['a', 'b'], sub: 'c d' })
})
