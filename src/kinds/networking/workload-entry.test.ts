// Every rule of a WorkloadEntry: what is refused, what is warned of, and the twin that is fine.
import { testKind } from '../../../test/support/kind-cases.ts'

const workloadEntry = {
  apiVersion: 'networking.istio.io/v1beta1',
  kind: 'WorkloadEntry',
  spec: { address: '10.0.0.1', labels: { app: 'db' }, serviceAccount: 'db' },
}

const manyPorts = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`p${i}`, i + 1]))

testKind(workloadEntry, [
  { title: 'no address', change: ['address', undefined], message: 'is required: an IP address, a host name or unix:///path; without it, name the network', twin: ['address', '2001:db8::1'] },
  { title: 'an address that is none', change: ['address', '10.0.0.1:80'], message: '"10.0.0.1:80" is neither an IP address, a host name nor unix:///path', twin: ['address', 'db.example.com'] },
  { title: 'a relative socket', change: ['address', 'unix://run/a'], message: '"unix://run/a" is not the absolute path of a socket: write unix:///path/of/socket', twin: ['address', 'unix:///run/a'] },
  { title: 'a socket without a name', change: ['address', 'unix://@'], message: '"unix://@" names no socket', twin: ['address', 'unix://@a'] },
  { title: 'a folder as a socket', change: ['address', 'unix:///run/'], message: '"unix:///run/" is not the absolute path of a socket: write unix:///path/of/socket', twin: ['address', 'unix:///run/a'] },
  { title: 'ports of a socket', change: [['ports', { a: 80 }], ['address', 'unix:///run/a']], path: 'ports', message: 'a unix socket has no ports: remove them', twin: ['ports', { a: 80 }] },
  { title: 'more than 128 ports', change: ['ports', manyPorts(129)], message: 'has 129 ports: at most 128 are allowed', twin: ['ports', manyPorts(128)] },
  { title: 'a port out of range', change: ['ports', { a: 0 }], path: 'ports.a', message: 'must be at least 1, not 0', twin: ['ports', { a: 65_535 }] },
  { title: 'a port name that is none', change: ['ports', { a_b: 80 }], path: 'ports.a_b', message: `"a_b" is not the name of a port: letters, digits and '-', at most 63`, twin: ['ports', { 'a-b': 80 }] },
  { title: 'a label that is none', change: ['labels', { a: 'b c' }], path: 'labels.a', message: '"b c" is not a label value', twin: ['labels', { 'x.com/a': '' }] },
  { title: 'a locality that is none', severity: 'warning', change: ['locality', 'a//c'], message: '"a//c" is not a locality: write region, region/zone or region/zone/subzone', twin: ['locality', 'a/b/c'] },
  { title: 'a negative weight', change: ['weight', -1], message: 'must be at least 0, not -1', twin: ['weight', 7] },
  { title: 'a workload that only its network knows', severity: 'warning', change: [['address', ''], ['network', 'n']], path: 'address', message: 'is not given: only its network n knows where the workload is, and nobody is sent there yet', twin: ['network', ''] },
])
