// Every rule of a PeerAuthentication: what is refused, what is warned of, and the twin that is fine.
import { testKind } from '../../../test/support/kind-cases.ts'

const peerAuthentication = {
  apiVersion: 'security.istio.io/v1',
  kind: 'PeerAuthentication',
  spec: { selector: { matchLabels: { app: 'a' } }, mtls: { mode: 'STRICT' } },
}

testKind(peerAuthentication, [
  { title: 'ports without a workload', change: [['selector', undefined], ['portLevelMtls', { 80: { mode: 'DISABLE' } }]], path: 'portLevelMtls', message: 'needs a selector with labels: ports are those of a workload', twin: ['portLevelMtls', { 80: { mode: 'DISABLE' } }] },
  { title: 'a list of no ports', change: ['portLevelMtls', {}], message: 'must name at least one port: remove it otherwise', twin: ['portLevelMtls', undefined] },
  { title: 'a port out of range', change: ['portLevelMtls', { 0: { mode: 'DISABLE' } }], path: 'portLevelMtls.0', message: '"0" is not a port, 1 to 65535', twin: ['portLevelMtls', { 65535: {} }] },
  { title: 'a port by its name', change: ['portLevelMtls', { http: { mode: 'DISABLE' } }], path: 'portLevelMtls.http', message: '"http" is not a port, 1 to 65535', twin: ['portLevelMtls', { 8080: { mode: 'UNSET' } }] },
  { title: 'a mode that is none', change: ['mtls.mode', 'STRICKT'], message: 'must be one of UNSET, DISABLE, PERMISSIVE, STRICT, not "STRICKT"; did you mean STRICT?', twin: ['mtls.mode', 'PERMISSIVE'] },
  { title: 'a selector of everything', severity: 'warning', change: ['selector', {}], message: 'selects every workload of the namespace, since it has no matchLabels', twin: ['selector', undefined] },
  { title: 'a wildcard in a selector', change: ['selector', { matchLabels: { app: '*' } }], path: 'selector.matchLabels.app', message: '"*" is not a label value', twin: ['selector', { matchLabels: { app: 'b' } }] },
  { title: 'labels at the wrong level', change: ['selector', { app: 'a' }], path: 'selector.app', message: 'unknown field "app"; known here: matchLabels', twin: ['selector', { matchLabels: { app: 'a' } }] },
])
