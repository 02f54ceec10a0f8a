// The audit log of a command that serves: where it is, and how it is told that its file was moved away (SIGUSR1).
import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { MeshError, describe } from '../lib/errors.ts'
import { openAuditLog } from '../telemetry/audit/audit-log.ts'
import type { AuditLog } from '../telemetry/audit/audit-log.ts'

/** What is given instead of a file by those who want none. */
const off = 'none'

/** Undefined: none is wanted. Whoever wants one does not run without it: throws `cli/audit` then. */
export function openAudit(path: string, alarm: (message: string) => void): AuditLog | undefined {
  if (path === off || path === '') return undefined
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    return reopened(openAuditLog(path, { alarm }))
  } catch (error) {
    throw new MeshError('cli/audit', `${describe(error)}; --audit-log names another file, or ${off}`)
  }
}

/** Windows has no such signal. */
function reopened(log: AuditLog): AuditLog {
  if (process.platform === 'win32') return log
  const reopen = (): void => log.reopen()
  process.on('SIGUSR1', reopen)
  const close = async (): Promise<void> => {
    process.off('SIGUSR1', reopen)
    await log.close()
  }
  return { writer: (source) => log.writer(source), get stats() { return log.stats }, reopen, flush: () => log.flush(), close, [Symbol.asyncDispose]: close }
}
