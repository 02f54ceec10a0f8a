// As whom a proxy runs whose traffic the kernel captures: as a user of its own, by which the rules tell it from its workload. Of
// root's rights it keeps those that it needs, as far as whoever starts it has them.
import { readFileSync } from 'node:fs'

/** It may read its own files wherever they lie, listen on ports below 1024, and take connections by TPROXY. By their bits in the kernel. */
const kept = { dac_read_search: 2, net_bind_service: 10, net_admin: 12 } as const

/** What comes before a program that shall run as this user; `permitted` are the capabilities of whoever starts it. */
export function asUser(id: number, permitted = permittedHere()): readonly string[] {
  const capabilities = Object.entries(kept).filter(([, bit]) => (permitted >> BigInt(bit)) & 1n).map(([name]) => `+${name}`).join(',')
  return ['setpriv', `--reuid=${id}`, `--regid=${id}`, '--clear-groups', ...(capabilities === '' ? [] : [`--inh-caps=${capabilities}`, `--ambient-caps=${capabilities}`]), '--']
}

function permittedHere(): bigint {
  const [, mask = '0'] = /^CapPrm:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? []
  return BigInt(`0x${mask}`)
}
