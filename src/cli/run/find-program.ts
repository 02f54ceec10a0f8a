// Where a program is that would be started by its name.
import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, join, resolve } from 'node:path'

/** Undefined: there is none that may be executed. */
export function findProgram(name: string, path: string, from = '.'): string | undefined {
  const places = name.includes('/') ? [resolve(from, name)] : path.split(delimiter).filter((one) => one !== '').map((folder) => join(folder, name))
  return places.find(isProgram)
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}
