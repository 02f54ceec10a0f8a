// resolv.conf as resolvers read it (resolv.conf(5)): the servers and the domains that are searched. What is not known is
// passed over, as they do.
import type { Address } from '../../model/address.ts'
import { parseIp } from '../../proxy/listen/cidr.ts'

export interface ResolvConf {
  readonly servers: readonly Address[]
  readonly search: readonly string[]
}

/** glibc asks no more than three. */
const maxServers = 3
const dnsPort = 53

export function parseResolvConf(text: string): ResolvConf {
  const servers: Address[] = []
  let search: readonly string[] = []
  for (const line of text.split('\n')) {
    const [keyword, ...values] = line.replace(/[#;].*/, '').trim().split(/\s+/)
    const [first = ''] = values
    if (keyword === 'nameserver' && parseIp(first) !== undefined && servers.length < maxServers) servers.push({ host: first, port: dnsPort })
    // The last of these lines wins, whichever it is.
    if ((keyword === 'search' || keyword === 'domain') && values.length > 0) search = values.map((one) => one.toLowerCase().replace(/\.$/, ''))
  }
  return { servers, search }
}
