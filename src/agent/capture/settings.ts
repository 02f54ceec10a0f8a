// Capture as settings of a process: a row each, named as Istio's annotations name them. What is no port, range, interface or
// group is said; nothing of it reaches the packet filter.
import { choice, list, onOff, port, text } from '../../lib/settings.ts'
import type { Setting, SettingsOf } from '../../lib/settings.ts'
import { parseCidr } from '../../proxy/listen/cidr.ts'
import { istioExcludedInboundPorts } from './capture-settings.ts'
import type { AllOr, CaptureSettings } from './capture-settings.ts'
import { divertMark, selfMark } from './rule-words.ts'

export const captureSettingsTable = {
  interceptionMode: choice(['REDIRECT', 'TPROXY', 'NONE'], 'REDIRECT', 'REDIRECT rewrites destinations. TPROXY also keeps the source address of what comes in. NONE captures nothing.'),
  outboundPort: port(15001, 'Where the proxy takes what the workload sends.'),
  inboundPort: port(15006, 'Where the proxy takes what is sent to the workload.'),
  includeInboundPorts: listed('*', 'PORT', 'Ports of the workload that are captured; * for all, empty for none.'),
  excludeInboundPorts: listed(istioExcludedInboundPorts.join(), 'PORT', 'With * above: ports that are not. These are the proxy\'s own.'),
  includeOutboundIpRanges: listed('*', 'CIDR', 'Where what the workload sends is captured; * for everywhere, empty for nowhere.'),
  excludeOutboundIpRanges: list('CIDR', 'Ranges that are left alone.'),
  includeOutboundPorts: list('PORT', 'Ports that are captured wherever they lead.'),
  excludeOutboundPorts: list('PORT', 'Ports that are left alone, also of UDP.'),
  excludeInterfaces: list('NAME', 'Interfaces of which nothing is captured.'),
  rerouteVirtualInterfaces: list('NAME', 'Interfaces of virtual machines: what comes by them is what the workload sends.'),
  outboundOwnerGroups: listed('*', 'GROUP', 'Groups, by number or name, whose programs are captured (ISTIO_OUTBOUND_OWNER_GROUPS).'),
  outboundOwnerGroupsExclude: list('GROUP', 'Groups whose programs are not (ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE).'),
  proxyUids: listed('1337', 'UID', 'Users of the proxy: what they send is left alone.'),
  proxyGids: listed('1337', 'GID', 'Groups of the proxy.'),
  proxyMarks: list('MARK', 'Marks of its packets, where there is one user only; then --proxy-uids and --proxy-gids are to be empty.'),
  dnsCapture: onOff(false, 'Queries of the workload go to the proxy (ISTIO_META_DNS_CAPTURE).'),
  dnsServers: list('ADDRESS', 'Servers whose queries are captured; * for any. Without it, those of /etc/resolv.conf.'),
  dnsPort: port(15053, 'Where the proxy answers them.'),
  loopbackCidr: text('127.0.0.1/32', 'What of the loopback is left alone (ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR).'),
  ipv6: onOff(true, 'IPv6 is captured too. Without it, IPv6 goes past the proxy.'),
  dropInvalid: onOff(false, 'Packets of no connection are dropped (INVALID_DROP).'),
}

export type CaptureTable = SettingsOf<typeof captureSettingsTable>

export const captureEnvPrefix = 'TRYSAIL_CAPTURE_'

/** What Istio calls some of them in the environment. */
export const captureEnvAliases: Readonly<Record<string, string>> = {
  TRYSAIL_CAPTURE_OUTBOUND_OWNER_GROUPS: 'ISTIO_OUTBOUND_OWNER_GROUPS', TRYSAIL_CAPTURE_OUTBOUND_OWNER_GROUPS_EXCLUDE: 'ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE',
  TRYSAIL_CAPTURE_DROP_INVALID: 'INVALID_DROP', TRYSAIL_CAPTURE_DNS_CAPTURE: 'ISTIO_META_DNS_CAPTURE',
  TRYSAIL_CAPTURE_LOOPBACK_CIDR: 'ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR', TRYSAIL_CAPTURE_INTERCEPTION_MODE: 'ISTIO_META_INTERCEPTION_MODE',
}

/** A list that is not empty without being given. */
function listed(initial: string, shape: string, sentence: string): Setting<readonly string[]> {
  return { ...list(shape, sentence), initial: initial.split(','), shown: initial }
}

/** Of `/etc/resolv.conf`. */
export type NameServers = () => readonly string[]

/** Adds what is wrong to `mistakes`; `named` says how a setting is called where it was given. */
export function captureFrom(table: CaptureTable, nameServers: NameServers, mistakes: string[], named: (setting: keyof CaptureTable) => string = flagOf): CaptureSettings {
  const read = new Reader(table, mistakes, named)
  if (table.proxyMarks.length > 0 && table.proxyUids.length + table.proxyGids.length > 0) {
    mistakes.push(`${named('proxyMarks')}: then ${named('proxyUids')} and ${named('proxyGids')} have to be empty, or the workload's own loopback would be taken for the proxy's`)
  }
  if (table.interceptionMode === 'TPROXY' && table.proxyMarks.some((one) => tproxyMarks.includes(Number(one)))) {
    mistakes.push(`${named('proxyMarks')}: ${tproxyMarks.join(' and ')} are TPROXY's own, choose another one`)
  }
  return {
    mode: table.interceptionMode,
    outboundPort: table.outboundPort, inboundPort: table.inboundPort, dnsPort: table.dnsPort,
    includeInboundPorts: read.allOr('includeInboundPorts', portOf, 'a port such as 8080'),
    excludeInboundPorts: read.each('excludeInboundPorts', portOf, 'a port such as 8080'),
    includeOutboundPorts: read.each('includeOutboundPorts', portOf, 'a port such as 8080'),
    excludeOutboundPorts: read.each('excludeOutboundPorts', portOf, 'a port such as 8080'),
    includeOutboundRanges: read.allOr('includeOutboundIpRanges', rangeOf, 'a range such as 10.0.0.0/8'),
    excludeOutboundRanges: read.each('excludeOutboundIpRanges', rangeOf, 'a range such as 10.0.0.0/8'),
    excludeInterfaces: read.each('excludeInterfaces', interfaceOf, 'an interface such as eth1'),
    virtualInterfaces: read.each('rerouteVirtualInterfaces', interfaceOf, 'an interface such as tap0'),
    includeOwnerGroups: read.allOr('outboundOwnerGroups', groupOf, 'a group such as 2000 or www-data'),
    excludeOwnerGroups: read.each('outboundOwnerGroupsExclude', groupOf, 'a group such as 2000 or www-data'),
    proxyUids: read.each('proxyUids', idOf, 'a number such as 1337'),
    proxyGids: read.each('proxyGids', idOf, 'a number such as 1337'),
    proxyMarks: read.each('proxyMarks', idOf, 'a number such as 1337'),
    dnsServers: table.dnsCapture ? dnsServersOf(read, table, nameServers, mistakes) : [],
    loopbackRange: rangeOf(table.loopbackCidr) ?? read.wrong('loopbackCidr', table.loopbackCidr, 'a range such as 127.0.0.1/32', '127.0.0.1/32'),
    ipv6: table.ipv6, dropInvalid: table.dropInvalid,
  }
}

const tproxyMarks: readonly number[] = [divertMark, selfMark]

function dnsServersOf(read: Reader, { dnsServers }: CaptureTable, nameServers: NameServers, mistakes: string[]): AllOr<string> {
  if (dnsServers.length > 0) return read.allOr('dnsServers', addressOf, 'an address such as 10.96.0.10')
  const found = nameServers().filter((one) => addressOf(one) !== undefined)
  if (found.length === 0) mistakes.push('DNS is to be captured, but /etc/resolv.conf names no server: say --dns-servers, * for any')
  return found
}

const flagOf = (setting: string): string => `--${setting.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`

type ListSetting = { [Name in keyof CaptureTable]: CaptureTable[Name] extends readonly string[] ? Name : never }[keyof CaptureTable]

class Reader {
  readonly #table: CaptureTable
  readonly #mistakes: string[]
  readonly #named: (setting: keyof CaptureTable) => string

  constructor(table: CaptureTable, mistakes: string[], named: (setting: keyof CaptureTable) => string) {
    this.#table = table
    this.#mistakes = mistakes
    this.#named = named
  }

  each<Value>(setting: ListSetting, parse: (text: string) => Value | undefined, expected: string): readonly Value[] {
    return this.#table[setting].flatMap((one) => {
      const value = parse(one)
      if (value === undefined) this.wrong(setting, one, expected, undefined)
      return value === undefined ? [] : [value]
    })
  }

  allOr<Value>(setting: ListSetting, parse: (text: string) => Value | undefined, expected: string): AllOr<Value> {
    return this.#table[setting].includes('*') ? '*' : this.each(setting, parse, `${expected}, or *`)
  }

  wrong<Value>(setting: keyof CaptureTable, text: string, expected: string, instead: Value): Value {
    this.#mistakes.push(`${this.#named(setting)}: ${JSON.stringify(text)} is not ${expected}`)
    return instead
  }
}

function portOf(text: string): number | undefined {
  return /^[1-9]\d{0,4}$/.test(text) && Number(text) <= 65_535 ? Number(text) : undefined
}

function idOf(text: string): number | undefined {
  return /^\d{1,10}$/.test(text) && Number(text) < 2 ** 32 ? Number(text) : undefined
}

/** An address alone is a range of one. */
function rangeOf(text: string): string | undefined {
  const [host = '', length = host.includes(':') ? '128' : '32', more] = text.split('/')
  return more === undefined && /^\d{1,3}$/.test(length) && !host.includes('%') && parseCidr(host, Number(length)) !== undefined ? `${host}/${Number(length)}` : undefined
}

const addressOf = (text: string): string | undefined => (!text.includes('/') && rangeOf(text) !== undefined ? text : undefined)
/** As the kernel has them: 15 characters, without blanks and slashes; fewer here, so that no quoting is needed. */
const interfaceOf = (text: string): string | undefined => (/^[\w.@-]{1,15}$/.test(text) ? text : undefined)
const groupOf = (text: string): string | undefined => (/^(\d{1,10}|[a-z_][a-z0-9_-]{0,31})$/.test(text) ? text : undefined)
