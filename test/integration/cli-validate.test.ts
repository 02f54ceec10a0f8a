// `trysail validate`, the real program: what it says about files, folders and standard input, and its exit codes.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, test } from 'node:test'

const bin = resolve(import.meta.dirname, '../../bin/trysail.js')
const folder = mkdtempSync(join(tmpdir(), 'trysail-validate-'))
after(() => rmSync(folder, { recursive: true, force: true }))

function file(name: string, content: string): string {
  const path = join(folder, name)
  mkdirSync(resolve(path, '..'), { recursive: true })
  writeFileSync(path, content)
  return path
}

interface Found {
  readonly message: string
  readonly path: string
  readonly line: number
}

interface Result {
  readonly file: string
  readonly kind: string
  readonly name: string
  readonly namespace: string
  readonly valid: boolean
  readonly errors: readonly Found[]
  readonly warnings: readonly Found[]
}

async function validate(args: readonly string[], { stdin = '', env = {} }: { stdin?: string; env?: Record<string, string> } = {}) {
  const child = spawn(process.execPath, [bin, 'validate', ...args], { cwd: folder, env: { ...process.env, NO_COLOR: '', FORCE_COLOR: '0', ...env } })
  const ended = new Promise<number | null>((done) => child.once('close', done))
  child.stdin.end(stdin)
  const [out, err, code] = await Promise.all([text(child.stdout), text(child.stderr), ended])
  return { out, err, code }
}

async function results(args: readonly string[], stdin = ''): Promise<{ code: number | null; results: readonly Result[] }> {
  const { out, code } = await validate([...args, '-o', 'json'], { stdin })
  return { code, results: (JSON.parse(out) as { results: readonly Result[] }).results }
}

const good = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews, namespace: shop }
spec:
  hosts: [reviews]
  http:
  - route:
    - destination: { host: reviews }
`
const mistyped = good.replace('  - route:', '  - timout: 2s\n    route:')

test('a valid file ends with 0 and says what was looked at', async () => {
  const path = file('good.yaml', good)
  assert.deepEqual(await validate(['-f', path]), { out: '1 resource in 1 file: all valid\n', err: '', code: 0 })
  assert.deepEqual(await results(['-f', path]), {
    code: 0, results: [{ file: path, kind: 'VirtualService', name: 'reviews', namespace: 'shop', valid: true, errors: [], warnings: [] }],
  })
})

test('a mistake ends with 1 and has file, line, column and the cure, as compilers write it', async () => {
  const path = file('mistyped.yaml', mistyped)
  const { out, code } = await validate(['-f', path])
  assert.equal(code, 1)
  assert.equal(out, `${path}:7:5: error: VirtualService shop/reviews: spec.http[0].timout: unknown field "timout"; did you mean timeout?
1 resource in 1 file: 1 invalid
`)
  assert.deepEqual((await results(['-f', path])).results[0]?.errors, [{ message: 'unknown field "timout"; did you mean timeout?', path: 'spec.http[0].timout', line: 7 }])
})

test('what is valid and not served yet is a warning, and ends with 0', async () => {
  const later = `apiVersion: networking.istio.io/v1
kind: WorkloadGroup
metadata: { name: reviews, namespace: shop }
spec: { template: {} }
---
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: { name: deny }
spec: {}
`
  const { code, results: found } = await results(['-f', '-'], later)
  assert.equal(code, 0)
  assert.deepEqual(found.map((one) => [one.file, one.kind, one.namespace, one.valid, one.warnings.map(({ message }) => message)]), [
    ['-', 'WorkloadGroup', 'shop', true, []],
    ['-', 'Telemetry', 'default', true, ['Telemetry is not served yet: the mesh behaves as if it were not there']],
  ])
})

test('a document that cannot be read is a result too, and hides no other', async () => {
  const { code, results: found } = await results(['-f', '-'], `${good}---\nkind: [\n---\n${good.replace('name: reviews,', 'name: other,')}`)
  assert.equal(code, 1)
  assert.deepEqual(found.map(({ kind, name, valid }) => [kind, name, valid]), [['VirtualService', 'reviews', true], ['', '', false], ['VirtualService', 'other', true]])
  assert.equal(found[1]?.errors[0]?.line, 11)
})

test('folders, several -f and standard input are read together, in order', async () => {
  file('many/b.yaml', good.replace('name: reviews,', 'name: b,'))
  file('many/a/a.json', JSON.stringify({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'a' } }))
  file('many/notes.txt', 'no: [yaml')
  const { code, results: found } = await results(['-f', join(folder, 'many'), '-f', '-'], good.replace('name: reviews,', 'name: c,'))
  assert.equal(code, 0)
  assert.deepEqual(found.map(({ name, file: of }) => [name, of === '-' ? of : of.slice(folder.length)]), [['a', '/many/a/a.json'], ['b', '/many/b.yaml'], ['c', '-']])
})

test('of two resources with one name the second is an error that says where the first is', async () => {
  const [first, second] = [file('first.yaml', good), file('second.yaml', good)]
  const { code, results: found } = await results(['-f', first, '-f', second])
  assert.equal(code, 1)
  assert.deepEqual(found.map(({ valid }) => valid), [true, false])
  assert.deepEqual(found[1]?.errors, [{
    message: `VirtualService reviews in namespace shop is there already, at ${first}:1: that one stands; rename or remove one of them`, path: 'metadata.name', line: 3,
  }])
})

test('a host, subset, gateway or delegate that the files should have and have not is a warning', async () => {
  const service = 'apiVersion: v1\nkind: Service\nmetadata: { name: reviews, namespace: shop }\nspec: { clusterIP: 10.0.0.1, ports: [{ name: http, port: 80 }] }\n---\n'
  const rules = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews, namespace: shop }
spec:
  hosts: [reviews]
  gateways: [mesh, edge]
  http:
  - match: [{ uri: { prefix: /a } }]
    route: [{ destination: { host: reviews, subset: v9 } }]
  - match: [{ uri: { prefix: /b } }]
    route: [{ destination: { host: review } }]
  - match: [{ uri: { prefix: /c } }]
    route: [{ destination: { host: other.elsewhere.svc.cluster.local } }]
  - match: [{ uri: { prefix: /d } }]
    delegate: { name: more }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: old, namespace: shop }
spec: { host: old, subsets: [{ name: v9 }] }
`
  const { code, results: found } = await results(['-f', '-'], service + rules)
  assert.equal(code, 0)
  assert.deepEqual(found.flatMap(({ warnings }) => warnings.map(({ path, message, line }) => `${line} ${path}: ${message}`)), [
    '11 spec.gateways[1]: there is no Gateway shop/edge in these files: the rules have no effect there',
    '20 spec.http[3].delegate: there is no VirtualService shop/more in these files: the rule is skipped',
    '14 spec.http[0].route[0].destination.subset: no DestinationRule in these files has a subset v9 of reviews.shop.svc.cluster.local: what is sent there gets 503 (NC)',
    '16 spec.http[1].route[0].destination.host: there is no service review.shop.svc.cluster.local in these files: what is sent there gets 503 (NC)',
    '25 spec.host: there is no service old.shop.svc.cluster.local in these files: the rule has no effect',
  ])
})

test('a file that is not there, or no text, is an error of that file', async () => {
  const binary = join(folder, 'binary.yaml')
  writeFileSync(binary, Buffer.from([0xff, 0xfe, 0x00]))
  const { code, results: found } = await results(['-f', join(folder, 'none.yaml'), '-f', binary])
  assert.equal(code, 1)
  assert.deepEqual(found.map(({ kind, valid, errors }) => [kind, valid, errors[0]?.message]).toSorted((one, other) => (String(one[2]) < String(other[2]) ? -1 : 1)), [
    ['', false, 'cannot be read: there is no such file or folder'],
    ['', false, 'is not UTF-8 text: save it as UTF-8'],
  ])
})

test('wrong usage ends with 64 and says what is wrong', async () => {
  const without = await validate([])
  assert.equal(without.code, 64)
  assert.match(without.err, /-f, --file FILE is needed/)
  const unknown = await validate(['-f', 'x', '--outptu', 'json'])
  assert.equal(unknown.code, 64)
  assert.match(unknown.err, /unknown flag --outptu; did you mean --output\?/)
  const format = await validate(['-f', 'x', '-o', 'xml'])
  assert.equal(format.code, 64)
})

test('colours are for terminals, or whoever forces them', async () => {
  const path = file('coloured.yaml', mistyped)
  assert.ok(!(await validate(['-f', path])).out.includes('\u001b['))
  assert.ok((await validate(['-f', path], { env: { FORCE_COLOR: '1' } })).out.includes('\u001b[1;31merror\u001b[0m'))
})

test('files without a resource end with 0 and say so', async () => {
  const { out, code } = await validate(['-f', file('empty.yaml', '# nothing\n---\n')])
  assert.deepEqual([out, code], ['nothing to validate: the files hold no resource\n', 0])
})

test('the mesh of the samples is valid, without a warning', async () => {
  const { out, code } = await validate(['-f', resolve(import.meta.dirname, '../../samples/bookinfo/mesh')])
  assert.match(out, /^\d+ resources in \d+ files: all valid\n$/)
  assert.equal(code, 0)
})
