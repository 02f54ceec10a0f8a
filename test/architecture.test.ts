// Holds the import table of docs/ARCHITECTURE.md: who may import whom, which node modules stay behind which door, and
// that there is no cycle. A file that breaks it is named with the line to change.
import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { dirname, join, relative, resolve } from 'node:path'
import { test } from 'node:test'

const root = resolve(import.meta.dirname, '..')
const src = join(root, 'src')

/** Area -> the areas it may import. An area always may import itself. */
const mayImport: Record<string, readonly string[]> = {
  lib: [],
  model: ['lib'],
  proto: ['lib'],
  codec: ['lib'],
  kinds: ['lib', 'model'],
  security: ['lib', 'model'],
  telemetry: ['lib', 'model'],
  xds: ['lib', 'proto', 'codec', 'model'],
  net: ['lib', 'model', 'telemetry', 'codec'],
  sources: ['lib', 'model', 'kinds', 'net', 'telemetry'],
  control: ['lib', 'model', 'proto', 'codec', 'kinds', 'security', 'telemetry', 'xds', 'net', 'sources'],
  proxy: ['lib', 'model', 'proto', 'codec', 'security', 'telemetry', 'xds', 'net'],
  agent: ['lib', 'model', 'net', 'proxy', 'codec', 'telemetry'],
  cli: ['lib', 'model', 'proto', 'codec', 'kinds', 'security', 'telemetry', 'xds', 'net', 'sources', 'control', 'proxy', 'agent'],
}

/** Of the proxy, the command line sees only these faces. */
const proxyFaces = ['main.ts', 'plan.ts', 'explain.ts', 'settings.ts']

/** Node modules behind a door: module -> paths (under src/) that may import it. */
const doors: Record<string, readonly string[]> = {
  'node:net': ['net/'],
  'node:tls': ['net/'],
  'node:dgram': ['net/'],
  'node:dns': ['net/'],
  'node:http2': ['net/', 'control/serve/', 'proxy/xds/', 'agent/probe/'],
  'node:http': ['control/serve/', 'proxy/admin/', 'cli/', 'net/http-get.ts', 'agent/probe/'],
  'node:https': ['net/http-get.ts', 'agent/probe/'],
  'node:fs': ['sources/files/', 'control/ca/', 'control/jwks/', 'control/registration/', 'telemetry/sink/', 'proxy/identity/', 'net/unix-path.ts', 'cli/'], // telemetry/sink: the log files; proxy/identity: certificates in files; net/unix-path: sockets that were left behind
  'node:child_process': ['cli/', 'agent/'],
}

interface Import {
  readonly from: string
  readonly line: number
  readonly to: string
  readonly typeOnly: boolean
}

const files = readdirSync(src, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts') && !name.startsWith(join('proto', 'gen')))
  .map((name) => join(src, name))

const imports: Import[] = files.flatMap((from) => {
  const text = readFileSync(from, 'utf8')
  const found = text.matchAll(/(?:^|\n)[ \t]*(?:import|export)\s+(type\s)?(?:[^'"\n;]|\n(?![ \t]*(?:import|export)\s))*?from\s+['"]([^'"]+)['"]|(?:import\(|^import\s+)['"]([^'"]+)['"]/g)
  return [...found].map((match) => ({
    from,
    line: text.slice(0, match.index).split('\n').length + (match[0].startsWith('\n') ? 1 : 0),
    to: (match[2] ?? match[3])!,
    typeOnly: match[1] !== undefined,
  }))
})

const isTest = (path: string) => path.endsWith('.test.ts')
const inSrc = (path: string) => relative(src, path).replaceAll('\\', '/')
const areaOf = (path: string) => inSrc(path).split('/')[0]!
const at = (one: Import) => `src/${inSrc(one.from)}:${one.line} imports ${one.to}`

test('every area imports only the areas that the table allows it', () => {
  const wrong = imports
    .filter((one) => one.to.startsWith('.') && !isTest(one.from))
    .filter((one) => {
      const from = areaOf(one.from)
      const to = areaOf(resolve(dirname(one.from), one.to))
      return from !== to && !(mayImport[from] ?? []).includes(to)
    })
  assert.deepEqual(wrong.map(at), [])
})

test('the command line sees only the faces of the proxy', () => {
  const wrong = imports.filter((one) => {
    const to = inSrc(resolve(dirname(one.from), one.to))
    return areaOf(one.from) === 'cli' && to.startsWith('proxy/') && !proxyFaces.includes(to.slice('proxy/'.length))
  })
  assert.deepEqual(wrong.map(at), [])
})

test('sockets, files, processes and environment variables stay behind their doors', () => {
  const wrong = imports.filter((one) => {
    const name = one.to.replace(/\/promises$/, '')
    const door = doors[name]
    const path = inSrc(one.from)
    if (door === undefined || isTest(path) || one.typeOnly) return false
    if (name === 'node:fs' && path.endsWith('settings.ts')) return false
    return !door.some((allowed) => path.startsWith(allowed))
  })
  assert.deepEqual(wrong.map(at), [])
  const environment = files
    .filter((path) => !isTest(path) && !/^cli\/|settings\.ts$|^sources\/files\//.test(inSrc(path)))
    .filter((path) => /\bprocess\.env\b/.test(readFileSync(path, 'utf8')))
  assert.deepEqual(environment.map(inSrc), [])
})

test('node modules are imported by their node: names', () => {
  const bare = imports.filter((one) => builtinModules.includes(one.to) && !one.to.startsWith('node:'))
  assert.deepEqual(bare.map(at), [])
})

test('no file imports itself through others', () => {
  const graph = new Map(files.map((path) => [path, [] as string[]]))
  for (const one of imports) {
    if (one.to.startsWith('.') && !one.typeOnly) graph.get(one.from)!.push(resolve(dirname(one.from), one.to))
  }
  const done = new Set<string>()
  const walk = (path: string, trail: string[]): string[] | undefined => {
    if (trail.includes(path)) return [...trail.slice(trail.indexOf(path)), path]
    if (done.has(path)) return undefined
    for (const next of graph.get(path) ?? []) {
      const cycle = walk(next, [...trail, path])
      if (cycle !== undefined) return cycle
    }
    done.add(path)
    return undefined
  }
  const cycles = files.map((path) => walk(path, [])).filter((cycle) => cycle !== undefined)
  assert.deepEqual(cycles.map((cycle) => cycle.map(inSrc).join(' -> ')), [])
})

test('there are no barrels, no utils, and every source file opens by saying what it is', () => {
  const sources = files.filter((path) => !isTest(path))
  assert.deepEqual(sources.filter((path) => /\/(index|utils?|helpers?)\.ts$/.test(path)).map(inSrc), [])
  assert.deepEqual(sources.filter((path) => !/^(#!.*\n)?\/[/*]/.test(readFileSync(path, 'utf8'))).map(inSrc), [])
})

test('suppressed types and lint rules only become fewer', () => {
  const allowed = 0
  const text = files.map((path) => readFileSync(path, 'utf8')).join('\n')
  const found = text.match(/@ts-ignore|@ts-expect-error|oxlint-disable|eslint-disable|(?:: |\bas |<)any(?=[),;\]>=\n])/g) ?? []
  assert.ok(found.length <= allowed, `${found.length} suppressions, at most ${allowed} allowed`)
})
