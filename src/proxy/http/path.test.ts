import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HttpConnectionManager_PathWithEscapedSlashesAction as EscapedSlashes } from '../../proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import { isSuspicious, normalizePath } from './path.ts'
import type { PathRules } from './path.ts'

const istio: PathRules = { normalizePath: true, mergeSlashes: false, escapedSlashes: EscapedSlashes.KEEP_UNCHANGED }
const normalized = (path: string, over: Partial<PathRules> = {}) => {
  const result = normalizePath(path, { ...istio, ...over })
  return result.kind === 'path' ? result.path : result.kind === 'redirect' ? `redirect ${result.path}` : 'reject'
}

const rows: [string, string][] = [
  ['/a/../admin', '/admin'], ['/a/./b', '/a/b'], ['/a/b/..', '/a/'], ['/..', '/'], ['/../../x', '/x'], ['/a/.', '/a/'], ['/a\\..\\admin', '/admin'],
  ['/%2e%2e/x', '/x'], ['/a/%2E%2E/x', '/x'], ['/%61%7e', '/a~'], ['/a%2fb', '/a%2fb'], ['/a%20b', '/a%20b'], ['/a/../b?x=/../y', '/b?x=/../y'],
  ['/.well-known/x', '/.well-known/x'], ['/a/...', '/a/...'], ['/a//b', '/a//b'], ['/a/..;/b', '/b'], ['/a/.;x=1/b', '/a/b'], ['/a/..;', '/'], ['/a/%2e%2e;/b', '/b'], ['/a/b;x/../c', '/a/c'], ['/a/...;/b', '/a/...;/b'], ['/a%00b', 'reject'], ['/a#b', 'reject'], ['/a?b#c', 'reject'], ['/', '/'],
]

for (const [path, expected] of rows) test(`${path} is ${expected}`, () => assert.equal(normalized(path), expected))

test('what needs no work is not looked at twice, and whatever does is', () => {
  for (const path of ['/', '/a/b.c', '/a?x=%2e/../', '*']) assert.equal(isSuspicious(path), false, path)
  for (const [path, expected] of rows) if (path !== expected) assert.equal(isSuspicious(path), true, path)
})

test('slashes merge and escaped ones are kept, opened, redirected or refused, as the mesh says', () => {
  assert.equal(normalized('/a//b///c?x//y', { mergeSlashes: true }), '/a/b/c?x//y')
  assert.equal(normalized('/a%2F..%5cadmin', { escapedSlashes: EscapedSlashes.UNESCAPE_AND_FORWARD }), '/admin')
  assert.equal(normalized('/a%2fb', { escapedSlashes: EscapedSlashes.UNESCAPE_AND_REDIRECT }), 'redirect /a/b')
  assert.equal(normalized('/a%2fb', { escapedSlashes: EscapedSlashes.REJECT_REQUEST }), 'reject')
  assert.equal(normalized('/a/../b', { normalizePath: false }), '/a/../b')
})
