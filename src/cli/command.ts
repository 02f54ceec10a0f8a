// What a command is: its name, what it takes and what it does. Help texts and the check of the command line both come from
// these tables, so they cannot disagree. The members are listed in table.ts.

/** The exit codes, the same for every command. */
export const exitCode = {
  fine: 0,
  findings: 1,
  usage: 64,
} as const

export const exitCodeHelp: readonly (readonly [code: number, meaning: string])[] = [
  [exitCode.fine, 'fine'],
  [exitCode.findings, 'findings: invalid files, a failed check, something that did not start'],
  [exitCode.usage, 'wrong usage: unknown flag, missing or malformed argument'],
]

export interface Option {
  /** Without dashes: `output`. */
  readonly name: string
  readonly short?: string
  /** What stands for the value in help; an option without it is a flag. */
  readonly value?: string
  /** May be given several times. */
  readonly repeats?: boolean
  readonly required?: boolean
  readonly choices?: readonly string[]
  /** Shown in help. */
  readonly initial?: string
  readonly sentence: string
}

export interface Operand {
  /** As shown: `NAME`. */
  readonly name: string
  readonly required?: boolean
  /** Takes all that follows: the last operand only. */
  readonly repeats?: boolean
  readonly choices?: readonly string[]
  readonly sentence: string
}

/** Where a command reads and writes: the process's own streams, or a test's. */
export interface Io {
  readonly stdout: (text: string) => void
  readonly stderr: (text: string) => void
  readonly stdin: () => Promise<string>
  /** Whether standard output is a terminal. */
  readonly terminal: boolean
  readonly color: boolean
  /** Aborts when the user asks the command to end (Ctrl-C, SIGTERM). */
  readonly stop: AbortSignal
}

/** A checked command line. */
export interface Invocation {
  readonly operands: readonly string[]
  /** The last value given. */
  text(name: string): string | undefined
  list(name: string): readonly string[]
  flag(name: string): boolean
  /** Every option that was given, by name: for settings tables. */
  readonly given: Readonly<Record<string, string | boolean>>
}

export interface Command {
  readonly summary: string
  /** What help says beyond the summary. */
  readonly about?: string
  readonly operands: readonly Operand[]
  readonly options: readonly Option[]
  readonly examples: readonly string[]
  run(invocation: Invocation, io: Io): Promise<number>
}

/** A row of the table: loaded only when it is asked for, so that `trysail version` does not load the proxy. */
export interface CommandRow {
  /** `xds dump`. */
  readonly name: string
  readonly load: () => Promise<Command>
  readonly summary: string
}
