// What spans several fields of a VirtualService (traffic spec 1.2.1, 1.2.2).
import { error } from '../kind.ts'
import type { Rule } from '../kind.ts'
import type { VirtualService } from './virtual-service.ts'

export const virtualServiceRules: readonly Rule<VirtualService>[] = [
  error(function* (spec) {
    const meshWide = spec.gateways === undefined || spec.gateways.length === 0 || spec.gateways.includes('mesh')
    if (meshWide && (spec.hosts ?? []).includes('*')) {
      yield [['hosts'], "host * cannot apply to the mesh: name the hosts, or bind the rule to gateways only"]
    }
  }),
  error(function* (spec) {
    if ((spec.http ?? []).length + (spec.tcp ?? []).length + (spec.tls ?? []).length === 0) {
      yield [[], 'a VirtualService needs at least one http, tcp or tls rule']
    }
  }),
]
