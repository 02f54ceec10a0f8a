// The mesh that files describe, without any server: for the tools that answer from files alone. What is wrong with the
// files goes to standard error, with its place; what is invalid is left out.
import { meshSettings } from '../control/mesh-settings.ts'
import { WorldState } from '../control/world-state.ts'
import type { DeploymentSpec } from '../kinds/core/deployment.ts'
import { ofKind } from '../kinds/table.ts'
import type { Resource } from '../model/resource.ts'
import { formatPath } from '../model/resource.ts'
import { readFiles } from '../sources/files/read.ts'
import { WorldMerger } from '../sources/merge.ts'
import type { SourceIssue } from '../sources/source.ts'
import type { Invocation, Io } from './command.ts'
import { keysIn } from './token-options.ts'

export interface Offline {
  readonly state: WorldState
  /** They are no workloads, but say as whom theirs would act. */
  readonly deployments: readonly Resource<DeploymentSpec>[]
  /** All that the files hold, also what is none of the mesh's business. */
  readonly resources: readonly Resource[]
  /** Nothing had to be left out. */
  readonly healthy: boolean
}

export async function readOffline(invocation: Invocation, io: Io): Promise<Offline> {
  const paths = [...invocation.list('file'), ...invocation.operands]
  const stdin = paths.includes('-') ? await io.stdin() : undefined
  const files = await readFiles(paths, { stdin })
  const { meshConfig, issues, ...world } = new WorldMerger().merge([files])
  const state = new WorldState()
  state.update({ ...world, mesh: meshSettings(meshConfig), keySets: keysIn(invocation, world.resources) })
  for (const issue of issues) io.stderr(`${issueText(issue)}\n`)
  // Of the issues that the board knows, all are about resources that are valid and have no translation.
  const untranslated = state.board.resources.filter((one) => one.state !== 'valid')
  for (const { key, origin, errors } of untranslated) io.stderr(`${origin.file}:${origin.line}: error: ${key}: ${errors.join('; ')}\n`)
  return { state, deployments: ofKind(files.resources, 'Deployment'), resources: files.resources, healthy: untranslated.length === 0 && issues.every((one) => one.severity !== 'error') }
}

/** `reviews.yaml:12: error: VirtualService/default/reviews: spec.http[0].route: needs a destination`. */
function issueText({ origin, severity, resource, path, message }: SourceIssue): string {
  const about = [resource, formatPath(path)].filter((one) => one !== '').map((one) => `${one}: `).join('')
  return `${origin.file}:${origin.line}: ${severity}: ${about}${message}`
}
