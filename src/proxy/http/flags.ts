// Envoy's response flags as bits, in the order in which Envoy writes them, so that an exchange gathers them without
// allocating.

const names = [
  'LH', 'UH', 'UT', 'LR', 'UR', 'UF', 'UC', 'UO', 'NR', 'DI', 'FI', 'RL', 'UAEX', 'RLSE', 'DC', 'URX', 'SI', 'IH', 'DPE',
  'UMSDR', 'RFCF', 'NFCF', 'DT', 'UPE', 'NC', 'OM', 'DF', 'DO', 'DR', 'UDO',
] as const

export type Flag = (typeof names)[number]

const bits = Object.fromEntries(names.map((name, i) => [name, 2 ** i])) as Readonly<Record<Flag, number>>

/** The bit of a flag. */
export const flag = bits

const texts = new Map<number, string>([[0, '']])

/** `UF,URX`; empty for none. */
export function flagText(flags: number): string {
  let text = texts.get(flags)
  if (text === undefined) {
    text = names.filter((_, i) => (flags & (2 ** i)) !== 0).join(',')
    texts.set(flags, text)
  }
  return text
}

/** Reads what a LocalReply says; names that are not Envoy's are dropped. */
export function parseFlags(text: string): number {
  if (text === '') return 0
  let flags = 0
  for (const name of text.split(',')) flags |= bits[name as Flag] ?? 0
  return flags
}
