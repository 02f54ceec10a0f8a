// `trysail proxy-config`: what a running proxy has accepted, from its own admin server.
import { exitCode } from './command.ts'
import type { Command } from './command.ts'
import { fetchJson } from './fetch-json.ts'
import { outputOf, outputOption, print, table } from './print.ts'
import { isRecord, list, record, text } from './json.ts'
import type { JsonRecord } from './json.ts'
import { rowsOf } from './proxy-config-rows.ts'
import type { ConfigType } from './proxy-config-rows.ts'
import { adminAddress } from './proxy-address.ts'

/** Where each type stands in Envoy's config dump: section, list, and the field of the resource in an entry. */
const places: Readonly<Record<Exclude<ConfigType, 'names'>, readonly [section: string, entries: string, resource: string]>> = {
  listeners: ['ListenersConfigDump', 'dynamic_listeners', 'active_state.listener'],
  routes: ['RoutesConfigDump', 'dynamic_route_configs', 'route_config'],
  clusters: ['ClustersConfigDump', 'dynamic_active_clusters', 'cluster'],
  endpoints: ['EndpointsConfigDump', 'dynamic_endpoint_configs', 'endpoint_config'],
  secrets: ['SecretsConfigDump', 'dynamic_active_secrets', 'secret'],
}

export const command: Command = {
  summary: 'Shows what a running proxy has accepted.',
  operands: [
    { name: 'TYPE', required: true, choices: [...Object.keys(places), 'names'], sentence: 'What to show.' },
    { name: 'NAME', sentence: 'The workload or gateway whose proxy is asked: reviews-v1 or reviews-v1.default.' },
  ],
  options: [
    { name: 'admin', value: 'HOST:PORT', sentence: "The proxy's admin address, instead of a NAME that runs on this machine." },
    { name: 'name', value: 'NAME', sentence: 'Only resources whose name contains this.' },
    outputOption,
  ],
  examples: ['trysail proxy-config routes productpage-v1', 'trysail proxy-config clusters --admin 127.0.0.1:15000 --name reviews -o json'],
  async run(invocation, io) {
    const [type, name] = invocation.operands as [ConfigType, string?]
    const wanted = invocation.text('name') ?? ''
    const admin = adminAddress(invocation.text('admin'), name)
    const all = type === 'names' ? namesIn(await fetchJson(admin, '/names')) : resourcesOf(await fetchJson(admin, '/config_dump?include_eds'), type)
    const found = all.filter((one) => nameOf(one).includes(wanted))
    print(io, outputOf(invocation.text('output')), found, (all) => {
      const { heading, rows } = rowsOf(type, all)
      return table(heading, rows)
    })
    return exitCode.fine
  },
}

/** That the workload may look up. */
const namesIn = (answer: unknown): readonly JsonRecord[] => list(record(answer)['names']).filter(isRecord)

function resourcesOf(dump: unknown, type: keyof typeof places): readonly JsonRecord[] {
  const [section, entries, resource] = places[type]
  const found = list(record(dump)['configs']).find((one) => isRecord(one) && text(one['@type']).endsWith(`.${section}`))
  return list(record(found)[entries]).flatMap((entry) => {
    const value = resource.split('.').reduce<unknown>((at, field) => record(at)[field], entry)
    return isRecord(value) ? [type === 'secrets' ? { name: text(record(entry)['name']), ...value } : value] : []
  })
}

const nameOf = (resource: JsonRecord): string => text(resource['name']) || text(resource['cluster_name'])
