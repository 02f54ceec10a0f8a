// `trysail agent capture`: the rules that bring a workload's traffic to its proxy, in the network namespace that this runs in:
// shown, put in place, checked, taken away. Which rules there are is the agent's business.
import { readFileSync } from 'node:fs'
import { applyCapture, removeCapture } from '../agent/capture/apply.ts'
import type { Applied } from '../agent/capture/apply.ts'
import type { Backend } from '../agent/capture/backend.ts'
import type { CaptureSettings } from '../agent/capture/capture-settings.ts'
import { checkCapture } from '../agent/capture/check.ts'
import type { CaptureCheck, Finding } from '../agent/capture/check.ts'
import { iptablesBackend } from '../agent/capture/iptables-backend.ts'
import { nftBackend } from '../agent/capture/nft-backend.ts'
import { captureRules } from '../agent/capture/rules.ts'
import { captureEnvAliases, captureEnvPrefix, captureFrom, captureSettingsTable } from '../agent/capture/settings.ts'
import { parseResolvConf } from '../agent/dns/resolv-conf.ts'
import { choice } from '../lib/settings.ts'
import { exitCode } from './command.ts'
import type { Command, Invocation, Io } from './command.ts'
import { outputOf, outputOption, print } from './print.ts'
import { configOption, settingsOf, settingsOptions } from './settings-options.ts'
import { UsageError } from './usage-error.ts'

const backends: Readonly<Record<'nft' | 'iptables', Backend>> = { nft: nftBackend, iptables: iptablesBackend }

const table = { ...captureSettingsTable, backend: choice(['nft', 'iptables'], 'nft', 'What speaks to the packet filter: nftables, or iptables and ip6tables.') }

/** What Istio's validation says when traffic is not captured: its repair looks for that. */
const notCaptured = 126

const actions = ['print', 'apply', 'remove', 'check'] as const
type Action = (typeof actions)[number]

export const command: Command = {
  summary: "Captures a workload's traffic: the rules that bring it to its proxy.",
  about: `In the network namespace that it runs in. Without --apply, --remove or --check it shows the rules and changes nothing. --apply does nothing
where they stand already, and replaces others of ours in one step. --check says whether they stand and whether connections are really
captured, and ends with ${notCaptured} when they are not. All but showing takes root, or CAP_NET_ADMIN. The proxy then runs as user 1337 with
'trysail proxy --capture netfilter'.`,
  operands: [],
  options: [
    { name: 'print', sentence: 'Shows the rules. This is what it does anyway.' },
    { name: 'apply', sentence: 'Puts them in place.' },
    { name: 'remove', sentence: 'Takes them away, whatever they are.' },
    { name: 'check', sentence: 'Tries whether traffic is captured.' },
    outputOption, configOption, ...settingsOptions(table, captureEnvPrefix),
  ],
  examples: ['trysail agent capture --exclude-outbound-ports 3306', 'trysail agent capture --apply --dns-capture', 'trysail agent capture --check'],
  run(invocation, io) {
    const action = actionOf(invocation)
    const { settings, backend } = wanted(invocation)
    return perform[action]({ settings, backend, io, invocation })
  },
}

interface Task {
  readonly settings: CaptureSettings
  readonly backend: Backend
  readonly io: Io
  readonly invocation: Invocation
}

const perform: Readonly<Record<Action, (task: Task) => Promise<number>>> = {
  print: (task) => {
    const rules = captureRules(task.settings)
    return answered(task, { backend: task.backend.name, script: task.backend.text(rules), rules }, ({ script }) => script)
  },
  apply: async (task) => answered(task, { before: await applyCapture(task.settings, { backend: task.backend }) }, ({ before }) => `${appliedText[before]}\n`),
  remove: async (task) => {
    await removeCapture({ backend: task.backend })
    return await answered(task, { removed: true }, () => 'nothing is captured any more\n')
  },
  check: async (task) => {
    const check = await checkCapture(task.settings, { backend: task.backend })
    await answered(task, check, checkText)
    return check.outbound.captured === false || check.inbound.captured === false ? notCaptured : check.rules === 'other' || check.rules === 'none' ? exitCode.findings : exitCode.fine
  },
}

const appliedText: Readonly<Record<Applied, string>> = {
  none: 'captured: the rules are in place', equal: 'captured already: the rules stand as they should', other: 'captured: other rules were replaced',
}

function checkText({ rules, beside, outbound, inbound }: CaptureCheck): string {
  const standing = rules === null ? 'unknown: only root may read them' : { none: 'none: put them in place with --apply', equal: 'as they should be', other: 'others than these settings ask for: --apply replaces them' }[rules]
  const more = beside === undefined ? '' : `, and more by ${beside}: --apply takes those away`
  const text = ({ captured, why }: Finding) => `${captured === null ? 'unknown' : captured ? 'captured' : 'NOT CAPTURED'}: ${why}`
  return `rules      ${standing}${more}\noutbound   ${text(outbound)}\ninbound    ${text(inbound)}\n`
}

function answered<Value>({ io, invocation }: Task, value: Value, asText: (value: Value) => string): Promise<number> {
  print(io, outputOf(invocation.text('output')), value, asText)
  return Promise.resolve(exitCode.fine)
}

function actionOf(invocation: Invocation): Action {
  const given = actions.filter((name) => invocation.flag(name))
  if (given.length > 1) throw new UsageError([`one at a time: ${given.map((name) => `--${name}`).join(' or ')}`])
  return given[0] ?? 'print'
}

function wanted(invocation: Invocation): { readonly settings: CaptureSettings; readonly backend: Backend } {
  const mistakes: string[] = []
  const { backend, ...rest } = settingsOf(table, { envPrefix: captureEnvPrefix, env: environment() }, invocation)
  const settings = captureFrom(rest, nameServers, mistakes)
  if (mistakes.length > 0) throw new UsageError(mistakes)
  return { settings, backend: backends[backend] }
}

function environment(): Readonly<Record<string, string | undefined>> {
  const known = Object.entries(captureEnvAliases).map(([name, alias]) => [name, process.env[alias]])
  return { ...Object.fromEntries(known) as Record<string, string | undefined>, ...process.env }
}

function nameServers(): readonly string[] {
  try {
    return parseResolvConf(readFileSync('/etc/resolv.conf', 'utf8')).servers.map(({ host }) => host)
  } catch {
    return [] // no such file: then nobody is asked
  }
}
