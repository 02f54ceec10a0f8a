import assert from 'node:assert/strict'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { mkdir, open, symlink, rename, utimes, writeFile } from 'node:fs/promises'
import { test } from 'node:test'
import { TempFolder } from '../../../test/support/temp-folder.ts'
import type { SourceState } from '../source.ts'
import { watchFiles } from './watch.ts'
import type { FileSource, WatchOptions } from './watch.ts'

const service = (name: string, port = 80): string =>
  `apiVersion: v1\nkind: Service\nmetadata: { name: ${name} }\nspec: { ports: [{ name: http, port: ${port} }] }\n`
const documents = (...names: string[]): string => names.map((name) => service(name)).join('---\n')

/** Longer than any of these tests takes on a busy machine. */
const limitMs = 10_000

class Watched implements AsyncDisposable {
  readonly source: FileSource
  changes = 0
  /** Names of services after every change. */
  readonly seen: string[] = []
  #wake = () => {}

  constructor(source: FileSource) {
    this.source = source
  }

  static async start(paths: string[], options: Partial<WatchOptions> = {}): Promise<Watched> {
    // Without the periodic look, unless a test is about it: events alone must do.
    const watched = new Watched(watchFiles(paths, { sweepMs: 3_600_000, ...options }))
    await watched.source.start((urgency) => {
      assert.equal(urgency, 'files')
      watched.changes++
      watched.seen.push(watched.names)
      watched.#wake()
    })
    return watched
  }

  get state(): SourceState {
    return this.source.current()
  }

  /** `a b`, with the port where it is not 80. */
  get names(): string {
    return this.state.resources.map((one) => {
      const [port] = (one.spec as { spec: { ports: { port: number }[] } }).spec.ports
      return port!.port === 80 ? one.metadata.name : `${one.metadata.name}:${port!.port}`
    }).sort().join(' ')
  }

  get messages(): readonly string[] {
    return this.state.issues.map((one) => one.message)
  }

  async until(what: (watched: Watched) => boolean): Promise<void> {
    const end = Date.now() + limitMs
    while (!what(this)) {
      const left = end - Date.now()
      if (left <= 0) throw new Error(`not within ${limitMs} ms; now: ${this.names}; ${this.messages.join('; ')}`)
      let timer: NodeJS.Timeout | undefined
      await new Promise<void>((resolve) => {
        this.#wake = resolve
        timer = setTimeout(resolve, left)
      })
      clearTimeout(timer)
    }
  }

  async becomes(names: string): Promise<void> {
    await this.until((watched) => watched.names === names)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.source.close()
  }
}

test('an edit in place, a replaced file, a new file and a removed one arrive', async () => {
  await using folder = await TempFolder.create()
  await folder.write('a.yaml', service('a'))
  await using watched = await Watched.start([folder.path])
  assert.equal(watched.names, 'a')
  await folder.write('a.yaml', service('a', 81))
  await watched.becomes('a:81')
  await folder.replace('a.yaml', service('a', 82))
  await watched.becomes('a:82')
  await folder.write('b.json', JSON.stringify({ apiVersion: 'v1', kind: 'Service', metadata: { name: 'b' }, spec: { ports: [{ port: 80 }] } }))
  await watched.becomes('a:82 b')
  await folder.remove('a.yaml')
  await watched.becomes('b')
})

test('an edit arrives long before the periodic look', async () => {
  await using folder = await TempFolder.create()
  await folder.write('a.yaml', service('a'))
  await using watched = await Watched.start([folder.path])
  const times: number[] = []
  for (let port = 81; port < 91; port++) {
    const began = performance.now()
    writeFileSync(folder.at('a.yaml'), service('a', port))
    await watched.becomes(`a:${port}`)
    times.push(performance.now() - began)
  }
  assert.ok(Math.min(...times) < 100, `fastest of ten: ${Math.min(...times).toFixed(1)} ms`)
})

test('a file that is saved without a change is not parsed again', async () => {
  await using folder = await TempFolder.create()
  await folder.write('a.yaml', service('a'))
  await folder.write('b.yaml', service('b'))
  await using watched = await Watched.start([folder.path])
  assert.equal(watched.source.parsed, 2)
  await folder.write('a.yaml', service('a'))
  await utimes(folder.at('a.yaml'), 1000, 1000)
  await folder.write('b.yaml', service('b', 81))
  await watched.becomes('a b:81')
  assert.equal(watched.source.parsed, 3)
})

test('a file that cannot be parsed keeps its last good resources and says where it is broken', async () => {
  await using folder = await TempFolder.create()
  await folder.write('a.yaml', documents('a', 'b'))
  await using watched = await Watched.start([folder.path])
  await folder.write('a.yaml', 'kind: [Service\n  name: : x\n')
  await watched.until(({ messages }) => messages.length > 0)
  assert.equal(watched.names, 'a b')
  assert.deepEqual([...watched.state.held].sort(), ['Service/default/a', 'Service/default/b'])
  const [issue] = watched.state.issues
  assert.equal(issue!.severity, 'error')
  assert.equal(issue!.origin.file, folder.at('a.yaml'))
  await folder.write('a.yaml', service('b', 81))
  await watched.becomes('b:81')
  assert.equal(watched.state.held.size, 0)
  assert.deepEqual(watched.messages, [])
})

test('an object that is broken is held, and its neighbours in the file move on', async () => {
  await using folder = await TempFolder.create()
  await folder.write('a.yaml', documents('a', 'b'))
  await using watched = await Watched.start([folder.path])
  await folder.write('a.yaml', `${service('a').replace('port: 80', 'prot: 81')}---\n${service('b', 82)}`)
  await watched.becomes('a b:82')
  assert.deepEqual([...watched.state.held], ['Service/default/a'])
  assert.ok(watched.state.issues.every((one) => one.resource === 'Service/default/a' && one.origin.line === 4))
  const broken = watched.state.objects.find((one) => one.name === 'a')
  assert.equal(broken?.resource, undefined)
})

test('a broken file at the start gives what of it is good', async () => {
  await using folder = await TempFolder.create()
  await folder.write('a.yaml', `${service('a')}---\nkind: [\n---\n${service('b')}`)
  await using watched = await Watched.start([folder.path])
  assert.equal(watched.names, 'a b')
  assert.equal(watched.messages.length, 1)
})

test('a renamed file never loses its resources, nor has them twice', async () => {
  await using folder = await TempFolder.create()
  await folder.write('a.yaml', documents('a', 'b'))
  await using watched = await Watched.start([folder.path])
  await folder.move('a.yaml', 'z.yaml')
  await watched.until(({ state }) => state.resources.every((one) => one.origin.file === folder.at('z.yaml')))
  await folder.write('c.yaml', service('c'))
  await watched.becomes('a b c')
  assert.ok(watched.seen.every((names) => names === 'a b' || names === 'a b c'), watched.seen.join('; '))
  assert.deepEqual(watched.messages, [])
})

test('a file that is truncated and written, or moved away and written anew, keeps its resources in between', async () => {
  await using folder = await TempFolder.create()
  await folder.write('a.yaml', documents('a', 'b'))
  await using watched = await Watched.start([folder.path], { settleMs: 300 })
  const file = await open(folder.at('a.yaml'), 'w')
  await watched.until(({ changes }) => changes > 0)
  await file.write(service('a', 81))
  await watched.source.close()
  assert.ok(watched.seen.every((names) => names === 'a b'), watched.seen.join('; '))
  await file.close()
  await using again = await Watched.start([folder.path], { settleMs: 300 })
  await folder.write('a.yaml', documents('a', 'b'))
  await again.becomes('a b')
  await folder.move('a.yaml', 'a.yaml~')
  await again.until(({ changes }) => changes > 1)
  await folder.write('a.yaml', documents('a', 'b', 'c'))
  await again.becomes('a b c')
  assert.ok(again.seen.slice(1).every((names) => names === 'a b' || names === 'a b c'), again.seen.join('; '))
})

test('objects that are truly gone from a file go after a moment', async () => {
  await using folder = await TempFolder.create()
  await folder.write('a.yaml', documents('a', 'b', 'c'))
  await using watched = await Watched.start([folder.path])
  await folder.write('a.yaml', documents('a', 'c'))
  await watched.becomes('a c')
  await folder.write('a.yaml', '')
  await watched.becomes('')
  assert.equal(watched.state.held.size, 0)
})

test('a deleted folder keeps its resources, says that it is gone, and is followed again when it returns', async () => {
  await using folder = await TempFolder.create()
  await folder.write('mesh/a.yaml', service('a'))
  await using watched = await Watched.start([folder.at('mesh')])
  await folder.move('mesh', 'elsewhere')
  await watched.until(({ messages }) => messages.length === 1)
  assert.match(watched.messages[0]!, /no such file or folder/)
  assert.equal(watched.names, 'a')
  assert.deepEqual([...watched.state.held], ['Service/default/a'])
  await folder.move('elsewhere', 'mesh')
  await watched.until(({ messages, state }) => messages.length === 0 && state.held.size === 0)
  await folder.write('mesh/a.yaml', service('a', 81))
  await watched.becomes('a:81')
})

test('a folder that is deleted with all in it and made anew is followed', async () => {
  await using folder = await TempFolder.create()
  await folder.write('mesh/a.yaml', service('a'))
  await using watched = await Watched.start([folder.at('mesh')])
  await folder.remove('mesh')
  await watched.until(({ messages }) => messages.length === 1)
  assert.equal(watched.names, 'a')
  await folder.write('mesh/b.yaml', service('b'))
  await watched.becomes('b')
  await folder.write('mesh/b.yaml', service('b', 81))
  await watched.becomes('b:81')
})

test('a folder that is replaced by another of its name, all at once, is watched anew', async () => {
  await using folder = await TempFolder.create()
  await folder.write('mesh/inner/a.yaml', service('a'))
  await using watched = await Watched.start([`${folder.at('mesh')}/`])
  rmSync(folder.at('mesh'), { recursive: true })
  mkdirSync(folder.at('mesh/inner'), { recursive: true })
  writeFileSync(folder.at('mesh/inner/a.yaml'), service('a', 81))
  await watched.becomes('a:81')
  await folder.write('mesh/inner/a.yaml', service('a', 82))
  await watched.becomes('a:82')
})

test('new folders are followed, whole trees of them, and their removal is too', async () => {
  await using folder = await TempFolder.create()
  await using watched = await Watched.start([folder.path])
  await folder.write('one/two/three/a.yaml', service('a'))
  await watched.becomes('a')
  await folder.write('one/two/three/a.yaml', service('a', 81))
  await watched.becomes('a:81')
  await using elsewhere = await TempFolder.create()
  await elsewhere.write('tree/deep/b.yaml', service('b'))
  await rename(elsewhere.at('tree'), folder.at('tree'))
  await watched.becomes('a:81 b')
  await folder.write('tree/deep/b.yaml', service('b', 82))
  await watched.becomes('a:81 b:82')
  await folder.remove('one')
  await watched.becomes('b:82')
})

test('a mounted ConfigMap changes by the swap of one link', async () => {
  await using folder = await TempFolder.create()
  await folder.write('..first/a.yaml', service('a'))
  await folder.write('..first/b.yaml', service('b'))
  await folder.link('..first', '..data')
  await folder.link('..data/a.yaml', 'a.yaml')
  await folder.link('..data/b.yaml', 'b.yaml')
  await using watched = await Watched.start([folder.path])
  await using single = await Watched.start([folder.at('a.yaml')])
  assert.equal(watched.names, 'a b')
  assert.deepEqual(watched.messages, [])
  await folder.write('..second/a.yaml', service('a', 81))
  await folder.write('..second/b.yaml', service('b', 82))
  await symlink('..second', folder.at('..data_tmp'))
  await folder.move('..data_tmp', '..data')
  await folder.remove('..first')
  await watched.becomes('a:81 b:82')
  await single.becomes('a:81')
  assert.ok(watched.seen.every((names) => names.includes('a') && names.includes('b')), watched.seen.join('; '))
})

test('a thousand files in one go are each parsed once', async () => {
  await using folder = await TempFolder.create()
  await using watched = await Watched.start([folder.path], { quietMs: 100, ceilingMs: 5000 })
  const names = Array.from({ length: 1000 }, (_, index) => `s${String(index).padStart(4, '0')}`)
  for (const name of names) writeFileSync(folder.at(`${name}.yaml`), service(name))
  await watched.becomes(names.join(' '))
  assert.equal(watched.source.parsed, 1000)
  for (const name of names) writeFileSync(folder.at(`${name}.yaml`), service(name, 81))
  await watched.becomes(names.map((name) => `${name}:81`).join(' '))
  assert.equal(watched.source.parsed, 2000)
})

test('a file that appears where a path was given is read, in a folder of which nothing else is', async () => {
  await using folder = await TempFolder.create()
  await folder.write('other.yaml', service('other'))
  await using watched = await Watched.start([folder.at('mesh.yaml')])
  assert.match(watched.messages.join(), /no such file or folder/)
  await folder.write('mesh.yaml', service('a'))
  await watched.becomes('a')
  assert.deepEqual(watched.messages, [])
})

test('what the system does not tell is seen by the periodic look', async () => {
  await using folder = await TempFolder.create()
  await using elsewhere = await TempFolder.create()
  await elsewhere.write('real.yaml', service('a'))
  await folder.link(elsewhere.at('real.yaml'), 'a.yaml') // nobody watches where the link leads
  await using watched = await Watched.start([folder.path], { sweepMs: 50 })
  await elsewhere.write('real.yaml', service('a', 81))
  await watched.becomes('a:81')
})

test('one object in two files is an error that names both places, and is cured by removing one', async () => {
  await using folder = await TempFolder.create()
  await folder.write('a.yaml', service('a'))
  await using watched = await Watched.start([folder.path])
  await folder.write('b.yaml', service('a', 81))
  await watched.until(({ messages }) => messages.length === 1)
  assert.equal(watched.names, 'a')
  const [issue] = watched.state.issues
  assert.equal(issue!.resource, 'Service/default/a')
  assert.equal(issue!.origin.file, folder.at('b.yaml'))
  assert.ok(issue!.message.includes(`${folder.at('a.yaml')}:1`), issue!.message)
  await folder.remove('a.yaml')
  await watched.becomes('a:81')
  await watched.until(({ messages }) => messages.length === 0)
})

test('hidden files, other files and links in circles are passed over', async () => {
  await using folder = await TempFolder.create()
  await folder.write('a.yaml', service('a'))
  await folder.write('.hidden.yaml', service('hidden'))
  await folder.write('.git/config.yaml', service('hidden'))
  await folder.write('node_modules/x/package.json', '{}')
  await folder.write('notes.txt', 'not yaml: [')
  await folder.link('.', 'circle')
  await using watched = await Watched.start([folder.path, folder.at('a.yaml')])
  assert.equal(watched.names, 'a')
  assert.deepEqual(watched.messages, [])
})

test('standard input stays what it was, beside files that change', async () => {
  await using folder = await TempFolder.create()
  await using watched = await Watched.start(['-'], { stdin: service('typed') })
  await using both = await Watched.start(['-', folder.path], { stdin: service('typed') })
  assert.equal(watched.names, 'typed')
  await folder.write('a.yaml', service('a'))
  await both.becomes('a typed')
})

test('closing while it reads is clean, and tells nothing any more', async () => {
  await using folder = await TempFolder.create()
  await using watched = await Watched.start([folder.path])
  await Promise.all(Array.from({ length: 200 }, (_, index) => writeFile(folder.at(`${index}.yaml`), service(`s${index}`))))
  await watched.source.close()
  const { changes } = watched
  await mkdir(folder.at('more'))
  await folder.write('more/a.yaml', service('a'))
  await new Promise(setImmediate)
  assert.equal(watched.changes, changes)
})
