// Which running proxy is meant: by the name of its workload, or by its admin address.
import { MeshError } from '../lib/errors.ts'
import type { Address } from '../model/address.ts'
import { formatAddress, parseAddress } from '../model/address.ts'
import { findRunning } from './running.ts'
import { UsageError } from './usage-error.ts'

/** Where its admin server is. `name`: reviews-v1, reviews-v1.default or default/reviews-v1, of those that run on this machine. */
export function adminAddress(given: string | undefined, name: string | undefined): Address {
  if (given !== undefined) {
    const address = parseAddress(given)
    if (address === undefined) throw new UsageError([`--admin must be HOST:PORT, not ${JSON.stringify(given)}`])
    return address
  }
  const all = findRunning().flatMap(({ proxies }) => proxies)
  const fits = all.filter((one) => name === undefined || one.name === name || `${one.name}.${one.namespace}` === name || `${one.namespace}/${one.name}` === name)
  const [only, another] = fits
  if (only !== undefined && another === undefined) return only.admin
  const known = all.map((one) => `${one.name}.${one.namespace} (${formatAddress(one.admin)})`).join(', ')
  if (known === '') throw new MeshError('cli/not-running', 'no proxy runs on this machine; --admin names another')
  throw new UsageError([`${name === undefined ? 'NAME or --admin is needed' : `${fits.length === 0 ? 'no' : 'more than one'} proxy is named ${name}`}; there are ${known}`])
}
