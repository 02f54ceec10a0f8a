// Every rule of a RequestAuthentication: what is refused, what is warned of, and the twin that is fine.
import { testKind } from '../../../test/support/kind-cases.ts'

const jwks = '{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]}'
const rule = { issuer: 'https://issuer.example', jwksUri: 'https://issuer.example/keys' }
const requestAuthentication = {
  apiVersion: 'security.istio.io/v1',
  kind: 'RequestAuthentication',
  spec: { selector: { matchLabels: { app: 'a' } }, jwtRules: [rule] },
}

const at = 'jwtRules[0]'
const target = { group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'g' }

testKind(requestAuthentication, [
  { title: 'a rule of nobody', change: [at, {}], path: `${at}.issuer`, message: 'is required: without it, jwksUri must say where the keys are', twin: [at, { jwksUri: 'http://a.example' }] },
  { title: 'keys twice', change: [`${at}.jwks`, jwks], message: 'cannot stand beside jwksUri: the keys are either here or there', twin: [at, { issuer: 'a', jwks }] },
  { title: 'keys at no URL', change: [`${at}.jwksUri`, 'keys'], message: '"keys" is no URL', twin: [`${at}.jwksUri`, 'http://a.example:8080/keys?x=y'] },
  { title: 'keys of another scheme', change: [`${at}.jwksUri`, 'file:///etc/passwd'], message: '"file:///etc/passwd" must begin with http:// or https://', twin: [`${at}.jwksUri`, 'https://[::1]/keys'] },
  { title: 'a password in a URL', change: [`${at}.jwksUri`, 'https://me:secret@a.example'], message: '"https://me:secret@a.example" must not have a user name: who reads the resource would know the password', twin: [`${at}.jwksUri`, 'https://a.example'] },
  { title: 'keys that are no JSON', change: [at, { issuer: 'a', jwks: 'keys' }], path: `${at}.jwks`, message: 'is no JSON: it must be a JSON Web Key Set, {"keys": [...]}', twin: [at, { issuer: 'a', jwks }] },
  { title: 'one key instead of a set', change: [at, { issuer: 'a', jwks: '{"kty":"RSA"}' }], path: `${at}.jwks`, message: 'has no field "keys": it must be a JSON Web Key Set, {"keys": [...]}', twin: [at, { issuer: 'a', jwks }] },
  { title: 'a set of no keys', change: [at, { issuer: 'a', jwks: '{"keys":[]}' }], path: `${at}.jwks`, message: 'has no keys: "keys" must be a list of at least one', twin: [at, { issuer: 'a', jwks }] },
  { title: 'a key that is none', change: [at, { issuer: 'a', jwks: '{"keys":[{"kid":"a"}]}' }], path: `${at}.jwks`, message: 'key 0 has no kty: it is no JSON Web Key', twin: [at, { issuer: 'a', jwks }] },
  { title: 'a private key', severity: 'warning', change: [at, { issuer: 'a', jwks: '{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB","d":"AQ"}]}' }], path: `${at}.jwks`, message: 'has the private part of a key: whoever reads it can make tokens. Make a new key, and put only its public part here', twin: [at, { issuer: 'a', jwks }] },
  { title: 'a shared secret', severity: 'warning', change: [at, { issuer: 'a', jwks: '{"keys":[{"kty":"oct","k":"AQAB"}]}' }], path: `${at}.jwks`, message: 'has a shared secret (kty oct): whoever reads it here, or in what a proxy shows of its configuration, can make tokens. Use a key pair', twin: [at, { issuer: 'a', jwks }] },
  { title: 'an issuer whose keys cannot be found', severity: 'warning', change: [at, { issuer: 'me@example' }], path: `${at}.issuer`, message: '"me@example" is no URL, so its keys cannot be found out: give jwksUri or jwks. Until then every token of it is refused', twin: [at, { issuer: 'https://issuer.example' }] },
  { title: 'an empty audience', change: [`${at}.audiences`, ['']], path: `${at}.audiences[0]`, message: 'must not be empty', twin: [`${at}.audiences`, ['a']] },
  { title: 'a header without a name', change: [`${at}.fromHeaders`, [{ prefix: 'JWT ' }]], path: `${at}.fromHeaders[0].name`, message: 'is required', twin: [`${at}.fromHeaders`, [{ name: 'x-jwt', prefix: 'JWT ' }]] },
  { title: 'a header that is none', change: [`${at}.fromHeaders`, [{ name: 'x jwt' }]], path: `${at}.fromHeaders[0].name`, message: 'is not the name of a header', twin: [`${at}.fromHeaders`, [{ name: 'x_jwt' }]] },
  { title: 'an empty parameter', change: [`${at}.fromParams`, ['']], path: `${at}.fromParams[0]`, message: 'must not be empty', twin: [`${at}.fromParams`, ['token']] },
  { title: 'an empty cookie', change: [`${at}.fromCookies`, ['']], path: `${at}.fromCookies[0]`, message: 'must not be empty', twin: [`${at}.fromCookies`, ['token']] },
  { title: 'a payload in a pseudo-header', change: [`${at}.outputPayloadToHeader`, ':path'], message: 'is not the name of a header', twin: [`${at}.outputPayloadToHeader`, 'x-payload'] },
  { title: 'a claim without a name', change: [`${at}.outputClaimToHeaders`, [{ header: 'a', claim: '' }]], path: `${at}.outputClaimToHeaders[0].claim`, message: 'must name a claim', twin: [`${at}.outputClaimToHeaders`, [{ header: 'a', claim: 'b.c' }]] },
  { title: 'two claims in a header', severity: 'warning', change: [`${at}.outputClaimToHeaders`, [{ header: 'a', claim: 'b' }, { header: 'A', claim: 'c' }]], path: `${at}.outputClaimToHeaders[1].header`, message: 'A has a claim already: it gets both, one after the other', twin: [`${at}.outputClaimToHeaders`, [{ header: 'a', claim: 'b' }, { header: 'c', claim: 'b' }]] },
  { title: 'no patience', change: [`${at}.timeout`, '0s'], message: 'must be a duration of at least 1 ms, not "0s"', twin: [`${at}.timeout`, '1s'] },
  { title: 'an empty claim', change: [`${at}.spaceDelimitedClaims`, ['']], path: `${at}.spaceDelimitedClaims[0]`, message: 'must not be empty', twin: [`${at}.spaceDelimitedClaims`, ['roles']] },
  { title: 'a selector beside targets', change: ['targetRefs', [target]], message: 'cannot stand beside selector: a policy is for one or the other', twin: [['targetRefs', [target]], ['selector', undefined]] },
  { title: 'a selector of everything', severity: 'warning', change: ['selector', {}], message: 'selects every workload of the namespace, since it has no matchLabels', twin: ['selector', undefined] },
  { title: 'no rules', severity: 'warning', change: ['jwtRules', []], message: 'has no rules: it asks nothing of any request', twin: ['jwtRules', [rule]] },
  { title: 'an issuer twice', severity: 'warning', change: ['jwtRules', [rule, rule]], path: 'jwtRules[1].issuer', message: '"https://issuer.example" has rule 0 for the same places: a token that either of them takes is taken', twin: ['jwtRules', [rule, { ...rule, fromParams: ['t'] }]] },
  { title: 'a field that Istio does not have', change: [`${at}.jwks_uri`, 'a'], message: 'unknown field "jwks_uri"; did you mean jwksUri?', twin: [`${at}.timeout`, '1s'] },
])
