// The system's name of a failure: ENOENT, EACCES. Empty for errors that are not the system's.

export function systemCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && /^E[A-Z0-9]+$/.test(error.code) ? error.code : ''
}
