// What speaks to the kernel's packet filter: nftables or iptables. Both put a rule set in place as a whole, find out whether
// it still stands there, and take it away.
import type { RunCommand } from './commands.ts'
import type { RuleSet } from './rule.ts'

/** What is there of ours: nothing, exactly these rules, or others. */
export type Standing = 'none' | 'equal' | 'other'

export interface Backend {
  readonly name: 'nft' | 'iptables'
  /** What the kernel is told, for people. */
  text(rules: RuleSet): string
  standing(run: RunCommand, rules: RuleSet): Promise<Standing>
  /** Whether anything of ours is there. */
  stands(run: RunCommand): Promise<boolean>
  /** In place of whatever is there of ours. */
  apply(run: RunCommand, rules: RuleSet): Promise<void>
  /** Nothing of ours is left. Harmless where nothing was. */
  remove(run: RunCommand): Promise<void>
}
