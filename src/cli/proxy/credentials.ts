// What a proxy shows and trusts before it is part of the mesh: roots, a token, or certificates that come from elsewhere.
// All of it comes in files, so that nothing secret has to be on a command line.
import { readFileSync } from 'node:fs'
import { describe } from '../../lib/errors.ts'
import type { ProxyOptions } from '../../proxy/main.ts'
import type { ProxySettings } from '../../proxy/settings.ts'

export type Credentials = Pick<ProxyOptions, 'roots' | 'bearer' | 'certificates'>

/** Adds what is wrong to `mistakes`. */
export function credentialsOf(settings: ProxySettings, mistakes: string[]): Credentials {
  const { discoveryPlaintext, rootCaFile, token, tokenFile, certificateFile, keyFile } = settings
  const given = certificateFile !== '' || keyFile !== ''
  if (rootCaFile === '' && (given || !discoveryPlaintext)) mistakes.push("--root-ca-file is needed to know the control plane ('trysail control roots' prints it), or --discovery-plaintext for one on this machine")
  if (token !== '' && tokenFile !== '') mistakes.push('--token and --token-file exclude each other')
  if (given && (certificateFile === '' || keyFile === '')) mistakes.push('--certificate-file and --key-file belong together')
  if (!given && token === '' && tokenFile === '') mistakes.push("--token-file or --token is needed to get a certificate ('trysail control token' makes one), or --certificate-file and --key-file")
  const read = (option: string, path: string): string => (path === '' ? '' : contentOf(option, path, mistakes))
  const roots = read('root-ca-file', rootCaFile)
  const own = { chain: read('certificate-file', certificateFile), key: read('key-file', keyFile), roots }
  read('token-file', tokenFile)
  return { roots, bearer: () => (tokenFile === '' ? token : currentToken(tokenFile)), ...(given ? { certificates: own } : {}) }
}

function contentOf(option: string, path: string, mistakes: string[]): string {
  try {
    const text = readFileSync(path, 'utf8')
    if (text.trim() === '') mistakes.push(`--${option} ${path} is empty`)
    return text
  } catch (error) {
    mistakes.push(`--${option} ${path} cannot be read: ${describe(error)}`)
    return ''
  }
}

/** Tokens are replaced while the proxy runs. One that is gone is none: whoever asks for it says so. */
function currentToken(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    return ''
  }
}
