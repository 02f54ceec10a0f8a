// From files to the control plane's state: Bookinfo's own files, edited, broken and mended while they are watched.
import assert from 'node:assert/strict'
import { cp, readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { meshSettings } from '../../src/control/mesh-settings.ts'
import { WorldState } from '../../src/control/world-state.ts'
import { watchFiles } from '../../src/sources/files/watch.ts'
import type { FileSource } from '../../src/sources/files/watch.ts'
import { WorldMerger } from '../../src/sources/merge.ts'
import { TempFolder } from '../support/temp-folder.ts'

const limitMs = 10_000
const samples = new URL('../../samples/bookinfo/mesh', import.meta.url).pathname

class Mesh {
  readonly state = new WorldState()
  readonly #merger = new WorldMerger()
  readonly #source: FileSource
  readonly #waiting = new Set<() => void>()

  constructor(source: FileSource) {
    this.#source = source
  }

  async start(): Promise<void> {
    await this.#source.start(() => this.#update())
    this.#update()
  }

  #update(): void {
    const { meshConfig, issues, held, ...world } = this.#merger.merge([this.#source.current()])
    this.state.update({ ...world, mesh: meshSettings(meshConfig) }, issues, held)
    for (const wake of this.#waiting) wake()
  }

  status(key: string): string {
    const found = this.state.board.resources.find((one) => one.key === key)
    return found === undefined ? 'none' : [found.state, ...found.errors].join(' ')
  }

  async until(what: () => boolean): Promise<void> {
    const signal = AbortSignal.timeout(limitMs)
    while (!what()) {
      signal.throwIfAborted()
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          clearTimeout(timer)
          this.#waiting.delete(wake)
          resolve()
        }
        const timer = setTimeout(wake, 1000)
        this.#waiting.add(wake)
      })
    }
  }
}

test("Bookinfo's files make a snapshot; an edit makes the next, a mistake holds one resource and says where it is", async () => {
  await using folder = await TempFolder.create()
  await cp(samples, folder.path, { recursive: true })
  await using source = watchFiles([folder.path])
  const mesh = new Mesh(source)
  await mesh.start()
  const { state } = mesh
  assert.equal(state.snapshot.services.all.length, 4)
  assert.equal(state.snapshot.workloads.all.length, 6)
  assert.ok(state.board.resources.every((one) => one.state === 'valid'))
  const first = state.snapshot.generation

  const gateway = await readFile(folder.at('bookinfo-gateway.yaml'), 'utf8')
  await folder.write('bookinfo-gateway.yaml', gateway.replace('exact: /login', 'exact: /sign-in'))
  await mesh.until(() => state.snapshot.generation > first)
  assert.deepEqual([...state.snapshot.changed], ['VirtualService'])

  const second = state.snapshot.generation
  const broken = gateway.replace('exact: /login', 'exatc: /login')
  await folder.write('bookinfo-gateway.yaml', broken)
  await mesh.until(() => mesh.status('VirtualService/default/bookinfo').startsWith('held'))
  const line = broken.split('\n').findIndex((text) => text.includes('exatc')) + 1
  assert.match(mesh.status('VirtualService/default/bookinfo'), /exact/)
  assert.equal(state.board.resources.find((one) => one.key === 'VirtualService/default/bookinfo')!.origin.line, line)
  assert.equal(state.snapshot.generation, second, 'what is held changes nothing')
  assert.equal(mesh.status('Gateway/default/bookinfo-gateway'), 'valid')

  await folder.write('bookinfo-gateway.yaml', gateway)
  await mesh.until(() => mesh.status('VirtualService/default/bookinfo') === 'valid')
  assert.ok(state.snapshot.generation > second)
})

test('a folder that vanishes under a running mesh changes nothing until it returns', async () => {
  await using folder = await TempFolder.create()
  await cp(samples, folder.at('mesh'), { recursive: true })
  await using source = watchFiles([folder.at('mesh')])
  const mesh = new Mesh(source)
  await mesh.start()
  const { generation } = mesh.state.snapshot
  await folder.move('mesh', 'gone')
  await mesh.until(() => mesh.status('VirtualService/default/bookinfo') === 'held')
  assert.equal(mesh.state.snapshot.generation, generation)
  await folder.move('gone', 'mesh')
  await mesh.until(() => mesh.status('VirtualService/default/bookinfo') === 'valid')
  assert.equal(mesh.state.snapshot.generation, generation)
})
