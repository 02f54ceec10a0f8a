// What the file system refused, as issues about a file: what is wrong and, where there is one, the cure.
import type { SourceIssue } from '../source.ts'

export function fileIssue(file: string, message: string, severity: SourceIssue['severity'] = 'error'): SourceIssue {
  return { severity, message, path: [], origin: { file, line: 1, column: 1 }, resource: '' }
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or folder',
  EACCES: 'it may not be read: permission denied',
  EPERM: 'it may not be read: not permitted',
  EISDIR: 'it is a folder',
  ENOTDIR: 'a part of the path is no folder',
  ELOOP: 'its symbolic links lead around in a circle',
  ENAMETOOLONG: 'the path is too long',
  EMFILE: 'this process has too many files open (ulimit -n)',
  ENOSPC: 'the system watches too many files already (fs.inotify.max_user_watches)',
}

export const codeOf = (error: unknown): string => (error instanceof Error && 'code' in error ? String(error.code) : '')

export const reasonOf = (error: unknown): string => reasons[codeOf(error)] ?? (error instanceof Error ? error.message : String(error))

/** It is not there, as opposed to there and out of reach. */
export const isGone = (error: unknown): boolean => codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR'
