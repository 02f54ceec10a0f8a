// Whatever happens to a folder, in whatever order: once it is quiet, what was watched is what a fresh look reads. Without
// the periodic look, so that a missed event shows.
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { test } from 'node:test'
import { readFiles } from '../../src/sources/files/read.ts'
import { watchFiles } from '../../src/sources/files/watch.ts'
import type { FileSource } from '../../src/sources/files/watch.ts'
import type { SourceState } from '../../src/sources/source.ts'
import { TempFolder } from '../support/temp-folder.ts'

const rounds = 6
const steps = 60
const limitMs = 20_000

/** The same numbers for the same seed. */
function randomOf(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

const service = (name: string, port: number): string => `apiVersion: v1\nkind: Service\nmetadata: { name: ${name} }\nspec: { ports: [{ port: ${port} }] }\n`
const described = ({ resources }: SourceState): string[] =>
  resources.map((one) => `${one.metadata.name} ${JSON.stringify(one.spec)} ${one.origin.file}`).sort()

const folders = ['', 'one/', 'one/two/', 'three/']
const files = folders.flatMap((folder) => ['a', 'b', 'c'].map((name) => `${folder}${name}.yaml`))

async function step(folder: TempFolder, random: (below: number) => number): Promise<void> {
  const file = files[random(files.length)]!
  const other = files[random(files.length)]!
  const text = Array.from({ length: random(4) }, (_, index) => service(`s${index}-${random(6)}`, 80 + random(9))).join('---\n')
  const actions: (() => Promise<unknown>)[] = [
    () => folder.write(file, text),
    () => folder.replace(file, text),
    () => folder.remove(file),
    () => folder.move(file, other),
    () => folder.remove(folders[1 + random(3)]!),
    () => folder.move('one', 'four'),
    () => folder.move('four', 'one'),
    () => mkdir(folder.at('three/five/six'), { recursive: true }),
    async () => {
      await folder.remove('one')
      await folder.write('one/two/a.yaml', text)
    },
    () => new Promise((resolve) => setTimeout(resolve, random(30))),
  ]
  await actions[random(actions.length)]!().catch(() => {}) // moving what is not there
}

async function converges(source: FileSource, folder: TempFolder): Promise<void> {
  const expected = described(await readFiles([folder.path]))
  const end = Date.now() + limitMs
  while (Date.now() < end && JSON.stringify(described(source.current())) !== JSON.stringify(expected)) {
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  assert.deepEqual(described(source.current()), expected)
}

for (let seed = 1; seed <= rounds; seed++) {
  test(`after ${steps} random changes of a folder the watched state is what is written there (seed ${seed})`, async () => {
    await using folder = await TempFolder.create()
    await using source = watchFiles([folder.path], { sweepMs: 3_600_000 })
    await source.start(() => {})
    const random = randomOf(seed)
    for (let count = 0; count < steps; count++) await step(folder, random)
    await converges(source, folder)
    // All that is there is still watched.
    for (const [index, file] of files.entries()) if (existsSync(folder.at(file))) await folder.write(file, service(`last-${index}`, 80))
    await converges(source, folder)
  })
}
