// Names by which VirtualServices are bound to gateways: `mesh`, NAME, NAMESPACE/NAME, ./NAME (traffic spec 1.1).
import { isFqdn, isLabel } from '../fields/host.ts'
import { error, warning } from '../kind.ts'
import type { Rule } from '../kind.ts'

interface Bound {
  gateways: string[]
}

export const gatewayNameRules = <Value extends Bound>(): readonly Rule<Value>[] => [
  error(function* ({ gateways }) {
    for (const [index, name] of gateways.entries()) {
      const message = gatewayNameProblem(name)
      if (message !== undefined) yield [['gateways', index], message]
    }
  }),
  warning(function* ({ gateways }) {
    for (const [index, name] of gateways.entries()) {
      const [own, namespace] = name.split('.')
      if (!name.includes('/') && namespace !== undefined && isFqdn(name)) yield [['gateways', index], `${JSON.stringify(name)} is an old way to write it: prefer ${namespace}/${own}`]
    }
  }),
]

function gatewayNameProblem(name: string): string | undefined {
  const shown = JSON.stringify(name)
  const slash = name.indexOf('/')
  if (slash < 0) return isFqdn(name) ? undefined : `${shown} is not the name of a gateway: write mesh, NAME or NAMESPACE/NAME`
  const [namespace, own] = [name.slice(0, slash), name.slice(slash + 1)]
  if (namespace !== '.' && !isLabel(namespace)) return `${shown} is not the name of a gateway: ${JSON.stringify(namespace)} is not a namespace`
  return isLabel(own) ? undefined : `${shown} is not the name of a gateway: ${JSON.stringify(own)} is not a DNS label`
}
