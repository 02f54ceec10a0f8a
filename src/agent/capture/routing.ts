// What capture needs beside the packet filter: the address from which the proxy reaches its workload over IPv6, and, for
// TPROXY, a route that delivers marked packets here whatever their address is.
import { demand } from './commands.ts'
import type { RunCommand } from './commands.ts'
import type { PolicyRouting, RuleSet } from './rule.ts'
import { divertMark, ownSource, tproxyTable } from './rule-words.ts'

/** Both families have tables of their own. */
const families = ['-4', '-6'] as const
type FamilyFlag = (typeof families)[number]

export async function routingStands(run: RunCommand, { routing, ownSourceV6 }: RuleSet): Promise<boolean> {
  if (ownSourceV6 && (await hasV6(run)) && !(await hasOwnSource(run))) return false
  const wanted = routing === undefined ? [] : await usable(run, families)
  const standing = await Promise.all(families.map(async (family) => ((await hasRule(run, family)) ? family : undefined)))
  return families.every((family, i) => wanted.includes(family) === (standing[i] !== undefined))
}

export async function applyRouting(run: RunCommand, { routing, ownSourceV6 }: RuleSet): Promise<void> {
  if (ownSourceV6 && (await hasV6(run)) && !(await hasOwnSource(run))) await ip(run, 'add ::6 to lo', ['-6', 'address', 'add', ownSource.ip6, 'dev', 'lo', 'nodad'])
  await removePolicyRouting(run)
  if (routing !== undefined) for (const family of await usable(run, families)) await addPolicyRouting(run, family, routing)
}

async function addPolicyRouting(run: RunCommand, family: FamilyFlag, { mark, table }: PolicyRouting): Promise<void> {
  await ip(run, 'route marked packets', [family, 'rule', 'add', 'fwmark', String(mark), 'lookup', String(table)])
  await ip(run, 'route marked packets', [family, 'route', 'replace', 'local', 'default', 'dev', 'lo', 'table', String(table)])
}

export async function removeRouting(run: RunCommand): Promise<void> {
  await removePolicyRouting(run)
  if ((await hasV6(run)) && (await hasOwnSource(run))) await ip(run, 'remove ::6 from lo', ['-6', 'address', 'del', ownSource.ip6, 'dev', 'lo'])
}

async function removePolicyRouting(run: RunCommand): Promise<void> {
  for (const family of await usable(run, families)) {
    if (!(await hasRule(run, family))) continue
    await ip(run, 'remove the rule of marked packets', [family, 'rule', 'del', 'fwmark', String(divertMark), 'lookup', String(tproxyTable)])
    await ip(run, 'remove the route of marked packets', [family, 'route', 'flush', 'table', String(tproxyTable)])
  }
}

async function usable(run: RunCommand, all: readonly FamilyFlag[]): Promise<readonly FamilyFlag[]> {
  return (await hasV6(run)) ? all : ['-4']
}

/** A kernel without IPv6, or told not to use it, has no address of it on the loopback. */
const hasV6 = async (run: RunCommand): Promise<boolean> => /inet6 ::1\//.test(await ip(run, 'read addresses', ['-6', 'address', 'show', 'dev', 'lo']))
const hasOwnSource = async (run: RunCommand): Promise<boolean> => /inet6 ::6\//.test(await ip(run, 'read addresses', ['-6', 'address', 'show', 'dev', 'lo']))

async function hasRule(run: RunCommand, family: FamilyFlag): Promise<boolean> {
  const { code, stdout } = await run('ip', ['-N', family, 'rule', 'show'])
  return code === 0 && new RegExp(`fwmark 0x${divertMark.toString(16)} lookup ${tproxyTable}\\b`).test(stdout)
}

const ip = (run: RunCommand, doing: string, args: readonly string[]): Promise<string> => demand(run, doing, 'ip', args)
