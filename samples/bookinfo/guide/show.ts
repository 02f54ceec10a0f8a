// How the tour looks on a terminal: headings, expected beside observed, and a picture of what runs. Plain text where the
// output is no terminal.
import type { Observation } from './observation.ts'

export interface Show {
  line(text?: string): void
  heading(number: number, title: string): void
  /** What was done, before what came of it. */
  did(text: string): void
  observations(all: readonly Observation[]): void
  dim(text: string): string
  bold(text: string): string
}

export function terminalShow(write: (text: string) => void, color: boolean): Show {
  const paint = (code: string, text: string): string => (color ? `\u001b[${code}m${text}\u001b[0m` : text)
  const line = (text = ''): void => write(`${text}\n`)
  const dim = (text: string): string => paint('2', text)
  const bold = (text: string): string => paint('1', text)
  return {
    line,
    dim,
    bold,
    heading: (number, title) => line(`\n${paint('1;36', String(number).padStart(2))}  ${bold(title)}`),
    did: (text) => line(`    ${dim(text)}`),
    observations(all) {
      const widest = (pick: (one: Observation) => string, title: string): number => Math.max(title.length, ...all.map((one) => pick(one).length))
      const what = widest((one) => one.what, '')
      const expected = widest((one) => one.expected, 'expected')
      const observed = widest((one) => one.observed, 'observed')
      line(`    ${dim(`${''.padEnd(what)}  ${'expected'.padEnd(expected)}  ${'observed'.padEnd(observed)}`)}`)
      for (const one of all) {
        const mark = one.ok ? paint('32', '✔') : paint('1;31', '✖ not as expected')
        line(`    ${one.what.padEnd(what)}  ${one.expected.padEnd(expected)}  ${one.observed.padEnd(observed)}  ${mark}`)
      }
    },
  }
}

/** The mesh, drawn. */
export const picture = `
              you ──► ingress gateway
                           │
                      ┌────▼────────┐
                      │ productpage │
                      └──┬───────┬──┘
                  ┌──────▼──┐ ┌──▼──────────────────┐
                  │ details │ │ reviews  v1  v2  v3 │
                  └─────────┘ └─────────────┬───┬───┘
                                         ┌──▼───▼──┐
   every box is a process of its own     │ ratings │
   with a sidecar; every arrow is mTLS   └─────────┘
`
