// A command line that cannot be obeyed. main.ts prints it in one or a few lines and exits with 64.
import { MeshError } from '../lib/errors.ts'

/** All mistakes together; help names the command whose `--help` helps. */
export class UsageError extends MeshError<'cli/usage'> {
  readonly mistakes: readonly string[]

  constructor(mistakes: readonly string[]) {
    super('cli/usage', mistakes.join('; '))
    this.mistakes = mistakes
  }
}
