// RequestAuthentications: several issuers at the gateway, one at the workload. Which tokens are taken, what is said of
// those that are not, what goes on to the workload, and routes that ask for claims.
import { withSource } from '../../../../src/xds/missing-keys.ts'
import { base64url, createSigner, keySetOf } from '../../../support/tokens.ts'
import { unlike } from '../case.ts'
import type { Ask, Case, Expected } from '../case.ts'

const one = createSigner('one')
const two = createSigner('two', 'ES256')
const pss = createSigner('pss', 'PS256')
const edwards = createSigner('edwards', 'EdDSA')
const secret = createSigner('secret', 'HS256')
const nobody = createSigner('one')

const policy = (namespace: string, rules: readonly object[]): string => `
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: { name: tokens, namespace: ${namespace} }
spec: ${JSON.stringify({ jwtRules: rules })}
---`

const issuerOne = 'https://one.example'
/** Everybody may have been at one place before; now is now. */
const now = Math.floor(Date.now() / 1000)
const good = { iss: issuerOne, sub: 'me', exp: now + 3600 }

const atGateway = policy('edge', [
  { issuer: issuerOne, jwks: keySetOf(one, pss, edwards, secret), outputPayloadToHeader: 'x-payload', spaceDelimitedClaims: ['teams'],
    outputClaimToHeaders: [{ header: 'x-sub', claim: 'sub' }, { header: 'x-level', claim: 'level' }, { header: 'x-role', claim: 'realm.role' }, { header: 'x-list', claim: 'list' }, { header: 'x-dot', claim: 'a.b' }] },
  { issuer: 'two', jwks: withSource(keySetOf(two), 'https://two.example/keys'), audiences: ['api', 'https://web.example/'], fromHeaders: [{ name: 'X-Jwt', prefix: 'JWT ' }, { name: 'x-bare' }], fromParams: ['token'], fromCookies: ['session'], forwardOriginalToken: true },
])
const atWorkload = policy('client', [{ issuer: issuerOne, jwks: keySetOf(one), audiences: ['in'] }])

const bearer = (token: string): { readonly headers: Readonly<Record<string, string>> } => ({ headers: { authorization: `Bearer ${token}` } })
const refused = (body: string, realm = 'http://$host/'): Expected => ({
  status: 401, body, to: [], headers: { 'www-authenticate': new RegExp(`^Bearer realm="${realm.replace('$host', '[^/"]+')}", error="invalid_token"$`), 'content-type': 'text/plain' },
  details: `jwt_authn_access_denied{${body.replaceAll(' ', '_')}}`,
})
const taken: Expected = { status: 200, to: ['a'], seen: { authorization: null, 'x-sub': 'me' } }
const routes = '[{ route: [{ destination: { host: a } }] }]'

/** One request at the gateway. */
const gate = (title: string, ask: Ask, more: Partial<Case> = {}): Case => ({ title: `token: ${title}`, role: 'gateway', http: routes, asks: [ask], ...more })

const badText = (title: string, token: string, body: string): Case => gate(title, { ...bearer(token), expect: refused(body) })
const badClaim = (title: string, claims: object, body: string): Case => badText(title, one.token({ ...good, ...claims }), body)

const twoGood = { iss: 'two', sub: 'you', aud: 'api', exp: now + 3600 }
const inParameter = two.token(twoGood)

/** Rules of a VirtualService, by claim. */
const byClaims = (...rules: readonly (readonly [name: string, match: string])[]): string =>
  `[${[...rules, ['rest', '{}'] as const].map(([name, match]) => `{ name: ${name}, match: [${match}], route: [{ destination: { host: a } }] }`).join(', ')}]`
const claim = (name: string, value: string): string => `{ headers: { "@request.auth.claims${name}": ${value} } }`

/** What a path of a policy demands, and whose tokens have it. */
const demands: readonly (readonly [path: string, { readonly from?: object; readonly when?: object; readonly good: readonly object[]; readonly bad: readonly object[] }])[] = [
  ['/principal', { from: { notRequestPrincipals: [`${issuerOne}/me`] }, good: [{}], bad: [{ sub: 'you' }, { sub: 'me2' }] }],
  ['/any', { from: { notRequestPrincipals: ['*'] }, good: [{}, { sub: 'you' }], bad: [] }],
  ['/prefix', { from: { notRequestPrincipals: [`${issuerOne}/m*`] }, good: [{}, { sub: 'mine' }], bad: [{ sub: 'you' }] }],
  ['/suffix', { from: { notRequestPrincipals: ['*.example/me'] }, good: [{}], bad: [{ sub: 'you' }] }],
  ['/audience', { when: { key: 'request.auth.audiences', notValues: ['api'] }, good: [{ aud: 'api' }, { aud: ['x', 'api'] }], bad: [{ aud: 'x' }, {}] }],
  ['/presenter', { when: { key: 'request.auth.presenter', notValues: ['app'] }, good: [{ azp: 'app' }], bad: [{ azp: 'x' }, {}] }],
  ['/claim', { when: { key: 'request.auth.claims[groups]', notValues: ['staff', 'a*'] }, good: [{ groups: 'staff' }, { groups: ['x', 'admin'] }], bad: [{ groups: 'guest' }, { groups: [] }, { groups: 7 }] }],
  ['/nested', { when: { key: 'request.auth.claims[realm][role]', notValues: ['chief'] }, good: [{ realm: { role: 'chief' } }], bad: [{ realm: { role: 'x' } }, { realm: 'chief' }, { 'realm.role': 'chief' }] }],
]

export const tokens: readonly Case[] = [
  { title: 'token: none, and the request goes on', role: 'gateway', http: routes, issues: /has a shared secret/, yaml: `${atGateway}${atWorkload}`, asks: [{ headers: { 'x-sub': 'forged', 'x-payload': 'forged' }, expect: { status: 200, to: ['a'], seen: { 'x-sub': null, 'x-payload': null } } }] },
  gate('a good one goes on as claims, and does not go on itself', { ...bearer(one.token({ ...good, level: 7, realm: { role: 'chief' }, list: ['~~~<>\u00ff'], 'a.b': 'dotted' })), expect: { ...taken, seen: { authorization: null, 'x-sub': 'me', 'x-level': '7', 'x-role': 'chief', 'x-list': /^W/, 'x-dot': null, 'x-payload': /^eyJ/ } } }),
  gate('twice, and from the cache the second time', { ...bearer(one.token({ ...good, jti: 'twice' })), expect: taken }, { asks: [{ ...bearer(one.token({ ...good, jti: 'twice' })), expect: taken }, { ...bearer(one.token({ ...good, jti: 'twice' })), expect: taken }] }),
  gate('by PS256', { ...bearer(pss.token(good)), expect: taken }),
  gate('by EdDSA', { ...bearer(edwards.token(good)), expect: taken }),
  gate('by HS256', { ...bearer(secret.token(good)), expect: taken }),
  gate('without a key id', { ...bearer(one.token(good, { kid: undefined })), expect: taken }),
  gate('in the query, which loses it', { path: `/p?a=1&access_token=${one.token(good)}&b=2`, expect: { status: 200, path: '/p?a=1&b=2' } }, { loose: ['log.path'] }),
  gate('in a query whose other parameters are encoded', {
    path: `/p?access_token=${one.token(good)}&b=%26`, expect: { status: 200, path: '/p?b=%26' },
    ...unlike('Envoy decodes the parameters that it leaves, and does not encode them again', { status: 200, path: '/p?b=&' }),
  }),
  gate('alone in the query', { path: `/p?access_token=${one.token(good)}`, expect: { status: 200, path: '/p' } }, { loose: ['log.path'] }),
  gate('behind other text', { headers: { authorization: `Basic x, Bearer ${one.token(good)}` }, expect: { status: 200 } }),
  gate('in lower case, which is no bearer', { headers: { authorization: `bearer ${one.token(good)}` }, expect: { status: 200, seen: { authorization: /^bearer / } } }),
  gate('with too much space', { headers: { authorization: `Bearer    ${one.token(good)}` }, expect: { status: 200 } }),
  gate('where this issuer has no place', { headers: { 'x-bare': one.token(good) }, expect: { status: 401, body: 'Jwt issuer is not configured' } }),
  gate('good and bad together', { headers: { authorization: [`Bearer ${one.token(good)}`, 'Bearer a.b.c'] }, expect: { status: 401 } }, { loose: ['log.path'] }),
  gate('no text is none', { headers: { authorization: 'Bearer ' }, expect: { status: 200 } }),
  badText('two sections', 'a.b', 'Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections'),
  badText('a section too many', `${one.token(good)}.x`, 'Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections'),
  badText('an empty section', 'a..c', 'Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections'),
  badText('a header of a wrong length', 'abcde.b.c', 'Jwt header is an invalid Base64url encoded'),
  badText('a header that is no JSON', `${base64url('x')}.b.c`, 'Jwt header is an invalid JSON'),
  badText('a header that is a list', `${base64url('[]')}.b.c`, 'Jwt header is an invalid JSON'),
  badText('no algorithm', `${base64url({})}.b.c`, 'Jwt header [alg] field is required and must be a string'),
  badText('no signature by its own word', `${base64url({ alg: 'none' })}.${base64url(good)}.c2ln`, 'Jwt header [alg] is not supported'),
  badText('a key id that is none', `${base64url({ alg: 'RS256', kid: 7 })}.${base64url(good)}.c2ln`, 'Jwt header [kid] field is not a string'),
  badText('a payload that is no JSON', `${base64url({ alg: 'RS256' })}.${base64url('x')}.c2ln`, 'Jwt payload is an invalid JSON'),
  badText('a payload of a wrong length', `${base64url({ alg: 'RS256' })}.abcde.c2ln`, 'Jwt payload is an invalid Base64url encoded'),
  badText('a signature of a wrong length', `${base64url({ alg: 'RS256' })}.${base64url(good)}.abcde`, 'Jwt signature is an invalid Base64url encoded'),
  badClaim('an issuer that is none', { iss: 7 }, 'Jwt payload [iss] field is not a string'),
  badClaim('a subject that is none', { sub: 7 }, 'Jwt payload [sub] field is not a string'),
  badClaim('a time that is none', { exp: 'soon' }, 'Jwt payload [exp] field is not an integer'),
  badClaim('a time of long ago', { nbf: -1 }, 'Jwt payload [nbf] field is not a positive 64 bit integer'),
  badClaim('an issue time that is none', { iat: [] }, 'Jwt payload [iat] field is not an integer'),
  badClaim('an id that is none', { jti: 7 }, 'Jwt payload [jti] field is not a string'),
  badClaim('an audience that is none', { aud: [7] }, 'Jwt payload [aud] field is not a string or string list'),
  badClaim('nobody’s issuer', { iss: 'nobody' }, 'Jwt issuer is not configured'),
  badClaim('no issuer', { iss: undefined }, 'Jwt issuer is not configured'),
  badClaim('over for long', { exp: now - 120 }, 'Jwt is expired'),
  gate('over for less than a minute', { ...bearer(one.token({ ...good, exp: now - 30 })), expect: taken }),
  badClaim('of tomorrow', { nbf: now + 86_400 }, 'Jwt not yet valid'),
  gate('of the next half minute', { ...bearer(one.token({ ...good, nbf: now + 30 })), expect: taken }),
  gate('without end', { ...bearer(one.token({ ...good, exp: undefined })), expect: taken }),
  gate('with a fraction of a second', { ...bearer(one.token({ ...good, exp: now + 3600.5 })), expect: taken }),
  badText('signed by somebody else', nobody.token(good), 'Jwt verification fails'),
  badText('signed with a key that nobody knows', one.token(good, { kid: 'other' }), "Jwks doesn't have key to match kid or alg from Jwt"),
  badText('another algorithm than its key', one.token(good, { alg: 'RS512' }), "Jwks doesn't have key to match kid or alg from Jwt"),
  gate('a realm has no more than 256 of the path', { path: `/${'p'.repeat(300)}`, ...bearer('a.b'), expect: { status: 401, headers: { 'www-authenticate': /^Bearer realm="http:\/\/[^/]+\/p{255}", error/ } } }),
  gate('a realm has the query', { path: '/p?a=%22', ...bearer('a.b'), expect: { status: 401, headers: { 'www-authenticate': /\/p\?a=%22"/ } } }),
  gate('a bad one of a gRPC client', { method: 'POST', headers: { authorization: 'Bearer a.b', 'content-type': 'application/grpc' }, body: '', expect: { status: 200, headers: { 'grpc-status': '16' } } }),
  gate('a bad one of a preflight', { method: 'OPTIONS', headers: { authorization: 'Bearer a.b', origin: 'http://x', 'access-control-request-method': 'GET' }, expect: { status: 200 } }),
  gate('a bad one of an OPTIONS', { method: 'OPTIONS', ...bearer('a.b'), expect: { status: 401 } }),

  gate('behind a prefix of its own, and forwarded', { headers: { 'x-jwt': `JWT ${two.token(twoGood)}` }, expect: { status: 200, seen: { 'x-jwt': /^JWT eyJ/ } } }),
  gate('in a header of its own', { headers: { 'x-bare': two.token(twoGood) }, expect: { status: 200, seen: { 'x-bare': /^eyJ/ } } }),
  gate('in a parameter of its own, and forwarded', { path: `/p?token=${inParameter}`, expect: { status: 200, path: `/p?token=${inParameter}` } }, { loose: ['log.path'] }),
  gate('in a cookie', { headers: { cookie: `a=b; session=${two.token(twoGood)}` }, expect: { status: 200 } }),
  gate('a bad one in a cookie', { headers: { cookie: 'session=a.b' }, expect: { status: 401 } }),
  gate('for nobody in particular', { headers: { 'x-bare': two.token({ ...twoGood, aud: undefined }) }, expect: { status: 403, body: 'Audiences in Jwt are not allowed', details: 'jwt_authn_access_denied{Audiences_in_Jwt_are_not_allowed}' } }),
  gate('for somebody else', { headers: { 'x-bare': two.token({ ...twoGood, aud: ['x', 'y'] }) }, expect: { status: 403 } }),
  gate('for one of several', { headers: { 'x-bare': two.token({ ...twoGood, aud: ['x', 'api'] }) }, expect: { status: 200 } }),
  gate('for an audience without its scheme', { headers: { 'x-bare': two.token({ ...twoGood, aud: 'web.example' }) }, expect: { status: 200 } }),
  gate('in the usual place, which is not this issuer’s', { ...bearer(two.token(twoGood)), expect: { status: 401, body: 'Jwt issuer is not configured' } }),
  gate('two good ones of two issuers', { headers: { authorization: `Bearer ${one.token(good)}`, 'x-bare': two.token(twoGood) }, expect: { status: 200 } }),
  gate('a good one and a bad one of two issuers', { headers: { authorization: `Bearer ${one.token(good)}`, 'x-bare': 'a.b' }, expect: { status: 200 } }),
  gate('a bad one and a good one of two issuers', { headers: { authorization: 'Bearer a.b', 'x-bare': two.token(twoGood) }, expect: { status: 200 } }),

  gate('routes by a claim', { ...bearer(one.token({ ...good, group: 'admin' })), expect: { status: 200, route: 'admin' } }, { http: byClaims(['admin', claim('.group', '{ exact: admin }')]) }),
  gate('routes by one of a claim’s list', { ...bearer(one.token({ ...good, group: ['x', 'admin'] })), expect: { status: 200, route: 'admin' } }, { http: byClaims(['admin', claim('.group', '{ exact: admin }')]) }),
  gate('routes by a claim that is another', { ...bearer(one.token({ ...good, group: 'user' })), expect: { status: 200, route: 'rest' } }, { http: byClaims(['admin', claim('.group', '{ exact: admin }')]) }),
  gate('routes without a token', { expect: { status: 200, route: 'rest' } }, { http: byClaims(['admin', claim('.group', '{ exact: admin }')]) }),
  gate('routes by a nested claim and a prefix', { ...bearer(one.token({ ...good, realm: { role: 'chief-of-all' } })), expect: { status: 200, route: 'chief' } }, { http: byClaims(['chief', claim('[realm][role]', '{ prefix: chief }')]) }),
  gate('routes by a scope', { ...bearer(one.token({ ...good, scope: 'read write' })), expect: { status: 200, route: 'write' } }, { http: byClaims(['write', claim('.scope', '{ exact: write }')]) }),
  gate('routes by a list of its own', { ...bearer(one.token({ ...good, teams: 'red blue' })), expect: { status: 200, route: 'blue' } }, { http: byClaims(['blue', claim('.teams', '{ regex: "bl.e" }')]) }),
  gate('routes by a claim that must not be', { expect: { status: 200, route: 'strangers' } }, {
    http: byClaims(['strangers', '{ withoutHeaders: { "@request.auth.claims.group": { exact: admin } } }']),
    asks: [
      { expect: { status: 200, route: 'strangers' } }, { ...bearer(one.token({ ...good, group: 'user' })), expect: { status: 200, route: 'strangers' } },
      { ...bearer(one.token({ ...good, group: 'admin' })), expect: { status: 200, route: 'rest' } },
    ],
  }),
  gate('takes a fault of the route that its claim leads to', { ...bearer(one.token({ ...good, group: 'admin' })), expect: { status: 418, flags: 'FI' } }, {
    http: '[{ name: admin, match: [{ headers: { "@request.auth.claims.group": { exact: admin } } }], fault: { abort: { percentage: { value: 100 }, httpStatus: 418 } }, route: [{ destination: { host: a } }] }, { name: rest, route: [{ destination: { host: a } }] }]',
  }),
  gate('leaves the fault of the route that it had before', { ...bearer(one.token({ ...good, group: 'admin' })), expect: { status: 200, route: 'admin' } }, {
    http: '[{ name: admin, match: [{ headers: { "@request.auth.claims.group": { exact: admin } } }], route: [{ destination: { host: a } }] }, { name: rest, fault: { abort: { percentage: { value: 100 }, httpStatus: 418 } }, route: [{ destination: { host: a } }] }]',
  }),

  gate('policies that ask for what it says', { expect: { status: 200 } }, {
    issues: /has nothing but attributes of HTTP/,
    yaml: `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: $ns-claims, namespace: edge }
spec: ${JSON.stringify({ action: 'DENY', rules: demands.map(([path, { from, when }]) => ({ to: [{ operation: { hosts: ['$host'], paths: [path] } }], ...(from !== undefined && { from: [{ source: from }] }), ...(when !== undefined && { when: [when] }) })) })}
---`,
    asks: demands.flatMap(([path, { good: some, bad }]) => [
      ...some.map((claims) => ({ path, ...bearer(one.token({ ...good, ...claims })), expect: { status: 200, to: ['a'] } })),
      ...bad.map((claims) => ({ path, ...bearer(one.token({ ...good, ...claims })), expect: { status: 403, body: 'RBAC: access denied', to: [] } })),
      { path, expect: { status: 403, to: [] } },
    ]),
  }),

  { title: 'token: one issuer alone, at a workload', role: 'inbound', asks: [
    { expect: { status: 200, to: ['a'] } },
    { ...bearer(one.token({ ...good, aud: 'in' })), expect: { status: 200, seen: { authorization: null } } },
    { ...bearer(one.token(good)), expect: { status: 403, body: 'Audiences in Jwt are not allowed' } },
    { ...bearer(one.token({ ...good, aud: 'in', iss: 'two' })), expect: { status: 401, body: 'Jwt issuer is not configured' } },
    { ...bearer('a.b'), expect: { status: 401 } },
  ] },
]
