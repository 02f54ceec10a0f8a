// Reads files once, for tools that look at what is written now. watch.ts is for whoever must know what changes.
import { emptyState } from '../source.ts'
import type { Source, SourceState } from '../source.ts'
import { assemble } from './assemble.ts'
import type { FileView } from './assemble.ts'
import { findFiles, standardInput } from './find.ts'
import { gone, parseText, readText, turns } from './load.ts'
import type { Content } from './load.ts'
import { defaultFileOptions } from './limits.ts'
import type { FileOptions } from './limits.ts'
import { fileIssue } from './problem.ts'

/** Files, folders with all that is in them, and `-`. Whatever cannot be read is an issue of the state. */
export async function readFiles(paths: readonly string[], options: Partial<FileOptions> = {}): Promise<SourceState> {
  const settings = { ...defaultFileOptions, ...options }
  const breathe = turns()
  const views: FileView[] = []
  const { files, issues } = await findFiles(paths, settings.limits)
  for (const { path } of files) {
    const content = await contentOf(path, settings)
    if (content !== undefined) views.push({ content, held: [], leaving: false })
    await breathe()
  }
  if (paths.includes(standardInput)) views.push({ content: inputOf(settings), held: [], leaving: false })
  return assemble(views, issues)
}

async function contentOf(path: string, settings: FileOptions): Promise<Content | undefined> {
  const read = await readText(path, settings.limits.maxFileBytes)
  if (read === gone) return undefined
  return 'text' in read ? parseText(read.text, path, settings) : read
}

export function inputOf(settings: FileOptions): Content {
  if (settings.stdin !== undefined) return parseText(settings.stdin, standardInput, settings)
  return { objects: [], issues: [fileIssue(standardInput, 'standard input was not given')], whole: false }
}

/** As a source: read once, at its start; nothing that happens to the files later is looked at. */
export function filesOnce(paths: readonly string[], options: Partial<FileOptions> = {}): Source {
  let state = emptyState
  return {
    async start() {
      state = await readFiles(paths, options)
    },
    current: () => state,
    close: () => Promise.resolve(),
  }
}
