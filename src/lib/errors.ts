// The one error class: a code to match on, a sentence to read, a cause to follow. Areas declare their own codes.

/** Codes are `area/what`, as literal unions beside the code that throws them. */
export class MeshError<Code extends string = string> extends Error {
  readonly code: Code

  constructor(code: Code, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'MeshError'
    this.code = code
  }
}

/** Whether `error`, or anything that caused it, carries the code. */
export function hasCode(error: unknown, code: string): boolean {
  for (let at = error; at instanceof Error; at = at.cause) {
    if ('code' in at && at.code === code) return true
  }
  return false
}

/** The message of anything thrown, with the messages of its causes. */
export function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const cause = error.cause === undefined ? '' : `: ${describe(error.cause)}`
  return `${error.message}${cause}`
}

/** Runs a promise that nobody awaits; a failure is reported under `name` instead of vanishing. */
export function spawn(name: string, work: Promise<unknown>, report: (name: string, error: unknown) => void = crash): void {
  work.catch((error: unknown) => report(name, error))
}

function crash(name: string, error: unknown): void {
  queueMicrotask(() => {
    throw new MeshError('lib/spawned', `${name} failed`, error)
  })
}
