// What `run` prints: one line each, prefixed by who says it, a colour per name where colours are wanted.

export interface RunLog {
  /** A line of a program's own output. */
  output(name: string, text: string, from: 'stdout' | 'stderr'): void
  /** What the mesh itself has to say; `about` is a process, or `mesh`. */
  say(about: string, text: string): void
  warn(about: string, text: string): void
}

const hues = [36, 35, 34, 33, 32, 96, 95, 94, 92] as const

export function runLog(write: (text: string) => void, { color, width = 16 }: { color: boolean; width?: number }): RunLog {
  const paint = (code: number, text: string): string => (color ? `\u001b[${code}m${text}\u001b[0m` : text)
  const line = (name: string, mark: string, text: string): void => {
    write(`${paint(hueOf(name), name.padEnd(width))} ${mark} ${text}\n`)
  }
  return {
    output: (name, text, from) => line(name, from === 'stderr' ? paint(31, '!') : paint(90, '|'), text),
    say: (about, text) => line(about, paint(90, '·'), text),
    warn: (about, text) => line(about, paint(31, '✖'), text),
  }
}

/** The same name has the same colour in every run. */
function hueOf(name: string): number {
  let sum = 0
  for (const char of name) sum = (sum * 31 + char.charCodeAt(0)) % 65521
  return hues[sum % hues.length]!
}
