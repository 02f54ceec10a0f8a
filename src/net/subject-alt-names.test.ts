import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseSubjectAltNames } from './subject-alt-names.ts'

const cases: readonly [title: string, text: string | undefined, uris: string[], dnsNames: string[], addresses?: string[]][] = [
  ['no text', undefined, [], []],
  ['an empty text', '', [], []],
  ['one URI', 'URI:spiffe://cluster.local/ns/a/sa/b', ['spiffe://cluster.local/ns/a/sa/b'], []],
  ['several kinds', 'DNS:a.test, URI:spiffe://t/a, IP Address:::1, DNS:b.test', ['spiffe://t/a'], ['a.test', 'b.test'], ['::1']],
  ['addresses', 'IP Address:10.0.0.1, IP Address:FE80:0:0:0:0:0:0:1', [], [], ['10.0.0.1', 'FE80:0:0:0:0:0:0:1']],
  ['a quoted value with a name in it', 'URI:"http://a/, DNS:evil.test", DNS:good.test', ['http://a/, DNS:evil.test'], ['good.test']],
  ['a quoted value with quotes in it', String.raw`DNS:"a\", URI:spiffe://t/admin", DNS:b`, [], ['a", URI:spiffe://t/admin', 'b']],
  ['a string that does not end', 'DNS:a, URI:"spiffe://t/a', [], ['a']],
  ['rubbish after a quoted value', 'URI:"a"x, URI:spiffe://t/admin', ['a'], []],
]
for (const [title, text, uris, dnsNames, addresses = []] of cases) {
  test(`names of ${title}`, () => assert.deepEqual(parseSubjectAltNames(text), { uris, dnsNames, addresses }))
}
