// The mesh's folder during a tour: a copy of the sample, so that nothing of the user's is edited. Applying a file works as
// `kubectl apply` does: one object each, replaced by kind and name.
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'

const sample = new URL('..', import.meta.url).pathname

export interface MeshFolder {
  readonly path: string
  /** For what the mesh keeps: the root of its CA. */
  readonly state: string
  /** Writes every object of a file of the tour to a file of its own; names them. */
  apply(file: string): readonly string[]
  /** Deletes files that `apply` wrote, by `kind-name`. */
  remove(...names: readonly string[]): void
  /** Deletes one object of a file with several. */
  cut(file: string, name: string): void
  delete(): void
}

export function copyMesh(): MeshFolder {
  const root = mkdtempSync(join(tmpdir(), 'trysail-bookinfo-'))
  const path = join(root, 'mesh')
  mkdirSync(path)
  for (const part of ['mesh', 'services']) cpSync(join(sample, part), join(root, part), { recursive: true })
  return {
    path,
    state: join(root, 'state'),
    apply(file) {
      const documents = readFileSync(join(sample, 'tour', file), 'utf8').split(/^---$/m)
      return documents.map((text) => {
        const name = nameOf(text)
        writeFileSync(join(path, `${name}.yaml`), text)
        return name
      })
    },
    remove(...names) {
      for (const name of names) rmSync(join(path, `${name}.yaml`), { force: true })
    },
    cut(file, name) {
      const documents = readFileSync(join(path, file), 'utf8').split(/^---\n/m)
      writeFileSync(join(path, file), documents.filter((text) => !nameOf(text).endsWith(`-${name}`)).join('---\n'))
    },
    delete: () => rmSync(root, { recursive: true, force: true }),
  }
}

/** `virtual-service-reviews`. */
function nameOf(text: string): string {
  const value: unknown = parseAllDocuments(text)[0]?.toJS()
  const { kind, metadata } = value as { kind: string; metadata: { name: string } }
  return `${kind.replace(/(?<=[a-z])[A-Z]/g, '-$&').toLowerCase()}-${metadata.name}`
}
