// One rule of the kernel's packet filter as a value, in the words that nftables and iptables share. How each writes it is
// nft-text.ts and iptables-text.ts; which rules there are, and in what order, is rules.ts.

export type Family = 'ip' | 'ip6'

/** Where a chain stands: each is one table in both dialects. */
export type TableName = 'nat' | 'mangle' | 'raw'

/** The kernel's own chains; all others are ours. */
export type HookName = 'prerouting' | 'output'

export type Protocol = 'tcp' | 'udp'

export type Match =
  | { readonly on: 'in-interface' | 'out-interface'; readonly name: string }
  | { readonly on: 'protocol'; readonly protocol: Protocol }
  /** CIDR of the rule's family. */
  | { readonly on: 'source' | 'destination'; readonly range: string; readonly not: boolean }
  | { readonly on: 'destination-port'; readonly ports: readonly number[]; readonly not: boolean }
  | { readonly on: 'source-port'; readonly port: number }
  /** Of the process that sends; a name stands for a group of the system. */
  | { readonly on: 'uid' | 'gid'; readonly id: number | string; readonly not: boolean }
  | { readonly on: 'mark'; readonly mark: number; readonly not: boolean }
  | { readonly on: 'connection-mark'; readonly mark: number }
  | { readonly on: 'state'; readonly states: readonly ('established' | 'related' | 'invalid')[] }

export type Verdict =
  | { readonly then: 'return' | 'accept' | 'drop' }
  | { readonly then: 'jump'; readonly chain: string }
  | { readonly then: 'redirect'; readonly port: number }
  | { readonly then: 'transparent'; readonly port: number; readonly mark: number }
  | { readonly then: 'mark'; readonly mark: number }
  /** The mark of the packet becomes that of its connection, or the other way round. */
  | { readonly then: 'save-mark' | 'restore-mark' }
  /** Connections of different zones do not know each other. */
  | { readonly then: 'zone'; readonly zone: number }

export interface Rule {
  /** Undefined: both. */
  readonly family: Family | undefined
  readonly matches: readonly Match[]
  readonly verdict: Verdict
}

export interface Chain {
  readonly name: string
  readonly hook: HookName | undefined
  readonly rules: readonly Rule[]
}

export interface Table {
  readonly name: TableName
  readonly chains: readonly Chain[]
}

/** What has to be said to the routing of packets, beside the filter. */
export interface PolicyRouting {
  /** Packets with this mark are delivered here, whatever their address. */
  readonly mark: number
  readonly table: number
}

export interface RuleSet {
  /** Those that have rules. */
  readonly tables: readonly Table[]
  readonly families: readonly Family[]
  readonly routing: PolicyRouting | undefined
  /** `::6`, by which the proxy reaches its workload over IPv6. IPv4's 127.0.0.6 is there anyway. */
  readonly ownSourceV6: boolean
}
