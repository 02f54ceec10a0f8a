// Every rule of a Process: what is refused, and the twin that is fine.
import { testKind } from '../../../test/support/kind-cases.ts'

const web = {
  apiVersion: 'trysail.dev/v1',
  kind: 'Process',
  spec: { serviceAccount: 'web', command: ['node', 'web.js'], ports: [{ name: 'http', containerPort: 8080 }] },
}

testKind(web, [
  { title: 'a port name twice', change: ['ports', [{ name: 'a', containerPort: 1 }, { name: 'a', containerPort: 2 }]], path: 'ports[1].name', message: 'the port a is named twice', twin: ['ports', [{ containerPort: 1 }, { containerPort: 2 }]] },
  { title: 'a port twice', change: ['ports', [{ name: 'a', containerPort: 1 }, { name: 'b', containerPort: 1 }]], path: 'ports[1].containerPort', message: 'the port 1 is listed twice', twin: ['ports', []] },
  { title: 'a port out of range', change: ['ports', [{ containerPort: 0 }]], path: 'ports[0].containerPort', message: 'must be at least 1, not 0', twin: ['ports', [{ containerPort: 65_535, hostPort: 8080, protocol: 'UDP' }]] },
  { title: 'a check of nothing', change: ['readiness', {}], message: 'must have exactly one of httpGet and tcpSocket', twin: ['readiness', { tcpSocket: { port: 8080 } }] },
  { title: 'a check of two things', change: ['readiness', { tcpSocket: { port: 80 }, httpGet: { port: 80 } }], path: 'readiness', message: 'must have exactly one of httpGet and tcpSocket', twin: ['readiness', { httpGet: { port: 80, path: '/ready' }, periodSeconds: 0.2 }] },
  { title: 'a command without a program', change: ['command', ['']], path: 'command[0]', message: 'must name a program', twin: ['command', []] },
  { title: 'a gateway with a command', change: ['proxyType', 'router'], path: 'command', message: 'a gateway (proxyType: router) has no command: it is the proxy itself', twin: [['proxyType', 'router'], ['command', []]] },
  { title: 'a command that is a text', change: ['command', 'node web.js'], message: 'must be a list, not "node web.js"', twin: ['command', ['sh', '-c', 'node web.js']] },
  { title: 'a variable that is a number', change: ['env', { PORT: 80 }], path: 'env.PORT', message: 'must be a string, not 80: write it in quotes', twin: ['env', { PORT: '80' }] },
  { title: 'a mistyped field', change: ['serviceAcount', 'a'], message: 'unknown field "serviceAcount"; did you mean serviceAccount?', twin: ['serviceAccount', 'a'] },
  { title: 'a field of Pods', change: ['serviceAccountName', 'a'], message: 'unknown field "serviceAccountName"; did you mean serviceAccount?', twin: ['address', '127.0.0.2'] },
])
