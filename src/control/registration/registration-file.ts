// Who has registered, on disk, so that a control plane that starts again does not take endpoints from clients that come back
// before the workloads do. It is a head start: failures to read or write are said and change nothing.
import { randomBytes } from 'node:crypto'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import type { Health, Registrant } from './entry.ts'

/** A workload, and how its application was last. */
export interface KeptRegistration extends Registrant {
  readonly health?: Health
}

export interface RegistrationStore {
  /** None where nothing was written, or nothing that can be read. */
  read(): Promise<readonly KeptRegistration[]>
  /** Rejects with the system's error. */
  write(all: readonly KeptRegistration[]): Promise<void>
}

const schema = z.array(z.strictObject({
  namespace: z.string(), group: z.string(), address: z.string(), serviceAccount: z.string(),
  labels: z.record(z.string(), z.string()),
  locality: z.strictObject({ region: z.string(), zone: z.string(), subzone: z.string() }),
  network: z.string(),
  health: z.enum(['healthy', 'unhealthy']).optional(),
}))

export function registrationFile(stateDir: string): RegistrationStore {
  const path = join(stateDir, 'registrations.json')
  return {
    async read() {
      try {
        return schema.parse(JSON.parse(await readFile(path, 'utf8')))
      } catch {
        // No file is the usual case; a damaged one is as good as none.
        return []
      }
    },
    async write(all) {
      await mkdir(stateDir, { recursive: true, mode: 0o700 })
      const temporary = join(stateDir, `.registrations.${randomBytes(6).toString('hex')}`)
      try {
        await writeFile(temporary, JSON.stringify(all), { mode: 0o600 })
        await rename(temporary, path)
      } catch (error) {
        await rm(temporary, { force: true })
        throw error
      }
    },
  }
}
