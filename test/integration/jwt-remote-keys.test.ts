// Keys that a proxy fetches itself (remote_jwks), from a real server behind one of its clusters: asked when first needed, once
// for all who wait, again when they are old, and when a token names a key that nobody knows, but not for every such token.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { JwtAuthenticationSchema } from '../../src/proto/gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb.ts'
import { RouterSchema } from '../../src/proto/gen/envoy/extensions/filters/http/router/v3/router_pb.ts'
import { HttpWorld } from '../support/http-world.ts'
import { manualClock } from '../support/manual-clock.ts'
import { RawPeer, ok } from '../support/raw-peer.ts'
import { TokenIssuer } from '../support/token-issuer.ts'
import { createSigner, keySetOf } from '../support/tokens.ts'
import type { Signer } from '../support/tokens.ts'
import { typed } from '../support/xds-messages.ts'

const [first, second] = [createSigner('first', 'ES256'), createSigner('second', 'ES256')]
const tokenOf = (signer: Signer, more: object = {}): string => signer.token({ iss: 'a', sub: 'me', ...more })

async function site(keys: string) {
  const clock = manualClock()
  const issuer = await TokenIssuer.start(keys)
  const peer = await RawPeer.start(() => ok('up'))
  const remote = { httpUri: { uri: 'http://issuer.test/keys', httpUpstreamType: { case: 'cluster' as const, value: 'issuer' }, timeout: { seconds: 2n, nanos: 0 } }, cacheDuration: { seconds: 300n, nanos: 0 } }
  const authentication = typed('envoy.filters.http.jwt_authn', JwtAuthenticationSchema, {
    providers: { a: { issuer: 'a', jwksSourceSpecifier: { case: 'remoteJwks', value: remote } } },
    rules: [{ match: { pathSpecifier: { case: 'prefix', value: '/' } }, requirementType: { case: 'requires', value: { requiresType: { case: 'providerName', value: 'a' } } } }],
  })
  const world = await HttpWorld.start({
    clusters: { up: [peer.address], issuer: [{ host: '127.0.0.1', port: issuer.port }] }, clock, deps: { clock },
    manager: { httpFilters: [authentication, typed('envoy.filters.http.router', RouterSchema, {})] },
  })
  const ask = async (token: string): Promise<string> => {
    const answer = await fetch(world.url, { headers: { authorization: `Bearer ${token}` } })
    return `${answer.status} ${await answer.text()}`
  }
  return {
    clock, issuer, ask,
    async [Symbol.asyncDispose]() {
      await world[Symbol.asyncDispose]()
      await peer[Symbol.asyncDispose]()
      await issuer[Symbol.asyncDispose]()
    },
  }
}

test('keys are asked for once, by all who need them first, and again when they are old', { timeout: 20_000 }, async () => {
  await using one = await site(keySetOf(first))
  const answers = await Promise.all(Array.from({ length: 6 }, (_, at) => one.ask(tokenOf(first, { jti: String(at) }))))
  assert.deepEqual(new Set(answers), new Set(['200 up']))
  assert.deepEqual(one.issuer.asked, ['/keys'])
  await one.clock.advance(299_000)
  assert.equal(await one.ask(tokenOf(first, { jti: 'x' })), '200 up')
  assert.equal(one.issuer.asked.length, 1)
  await one.clock.advance(2_000)
  assert.equal(await one.ask(tokenOf(first, { jti: 'y' })), '200 up')
  assert.equal(one.issuer.asked.length, 2)
})

test('a token of a new key makes the issuer be asked at once, strangers’ tokens only every ten seconds', { timeout: 20_000 }, async () => {
  await using one = await site(keySetOf(first))
  assert.equal(await one.ask(tokenOf(first)), '200 up')
  one.issuer.keys = keySetOf(second)
  await one.clock.advance(10_000)
  assert.equal(await one.ask(tokenOf(second)), '200 up')
  const stranger = createSigner('stranger', 'ES256')
  const missing = "401 Jwks doesn't have key to match kid or alg from Jwt"
  for (let at = 0; at < 5; at++) assert.equal(await one.ask(tokenOf(stranger, { jti: String(at) })), missing)
  assert.equal(one.issuer.asked.length, 2)
  await one.clock.advance(10_000)
  assert.equal(await one.ask(tokenOf(stranger)), missing)
  assert.equal(one.issuer.asked.length, 3)
})

test('while the issuer is away its last keys stay in use; without any, tokens are refused and it is not asked for each of them', { timeout: 20_000 }, async () => {
  await using one = await site(keySetOf(first))
  one.issuer.behaves = (_request, response) => void response.writeHead(503).end()
  assert.equal(await one.ask(tokenOf(first)), '401 Jwks remote fetch is failed')
  assert.equal(await one.ask(tokenOf(first)), '401 Jwks remote fetch is failed')
  assert.equal(one.issuer.asked.length, 1)
  one.issuer.behaves = undefined
  await one.clock.advance(1_000)
  assert.equal(await one.ask(tokenOf(first)), '200 up')
  one.issuer.behaves = (_request, response) => void response.writeHead(200).end('{"keys":[]}')
  await one.clock.advance(400_000)
  assert.equal(await one.ask(tokenOf(first, { jti: 'x' })), '200 up')
})
