// One or more valid documents of each kind that the mesh reads, with most of their fields: what fuzz targets damage.

const meta = (name: string) => ({ name, namespace: 'shop', labels: { app: name } })
const destination = { host: 'reviews', subset: 'v1', port: { number: 9080 } }

export const kindSamples: Readonly<Record<string, readonly object[]>> = {
  VirtualService: [
    {
      apiVersion: 'networking.istio.io/v1', kind: 'VirtualService', metadata: meta('reviews'),
      spec: {
        hosts: ['reviews', '*.example.com'], gateways: ['mesh', 'infra/edge'], exportTo: ['.'],
        http: [
          {
            name: 'first',
            match: [{ name: 'a', uri: { prefix: '/a' }, method: { exact: 'GET' }, headers: { 'end-user': { regex: 'j.*' } }, withoutHeaders: { x: {} }, queryParams: { q: { exact: '1' } }, port: 80, sourceLabels: { app: 'web' }, ignoreUriCase: true }],
            route: [{ destination, weight: 90, headers: { request: { set: { a: '%REQ(b)%' } } } }, { destination: { host: 'other' }, weight: 10 }],
            timeout: '2s', retries: { attempts: 3, perTryTimeout: '500ms', retryOn: '5xx,503', backoff: '10ms' },
            fault: { delay: { fixedDelay: '1s', percentage: { value: 10 } }, abort: { httpStatus: 500, percentage: { value: 0.5 } } },
            rewrite: { uri: '/b', authority: 'b.com' }, mirrors: [{ destination: { host: 'm' }, percentage: { value: 50 } }],
            corsPolicy: { allowOrigins: [{ exact: 'https://a.com' }], allowMethods: ['GET'], allowHeaders: ['a'], maxAge: '24h', allowCredentials: true },
            headers: { request: { add: { a: 'b' }, remove: ['c'] }, response: { set: { d: 'e' } } },
          },
          { match: [{ uri: { exact: '/r' } }], redirect: { uri: '/x', authority: 'a.com', port: 8080, scheme: 'https', redirectCode: 302 } },
          { match: [{ uri: { regex: '/d.*' } }], directResponse: { status: 503, body: { string: 'no' } } },
          { delegate: { name: 'more', namespace: 'other' } },
        ],
        tcp: [{ match: [{ port: 3306, destinationSubnets: ['10.0.0.0/8'] }], route: [{ destination: { host: 'db' } }] }],
        tls: [{ match: [{ sniHosts: ['a.example.com'], port: 443 }], route: [{ destination: { host: 'tls' } }] }],
      },
    },
    { apiVersion: 'networking.istio.io/v1alpha3', kind: 'VirtualService', metadata: meta('delegate'), spec: { http: [{ route: [{ destination }] }] } },
  ],
  DestinationRule: [{
    apiVersion: 'networking.istio.io/v1', kind: 'DestinationRule', metadata: meta('reviews'),
    spec: {
      host: 'reviews', exportTo: ['.'], workloadSelector: { matchLabels: { app: 'web' } },
      trafficPolicy: {
        loadBalancer: { consistentHash: { httpCookie: { name: 'a', ttl: '0s', attributes: [{ name: 'b', value: 'c' }] }, maglev: { tableSize: 65_537 } }, localityLbSetting: { distribute: [{ from: 'a/*', to: { 'a/b': 80, c: 20 } }] }, warmup: { duration: '10s' } },
        connectionPool: { tcp: { maxConnections: 10, connectTimeout: '1s', tcpKeepalive: { time: '7200s', interval: '75s', probes: 3 } }, http: { http1MaxPendingRequests: 1, http2KeepAlive: { interval: '1s', timeout: '1s' } } },
        outlierDetection: { consecutive5xxErrors: 7, interval: '5m', baseEjectionTime: '15m', maxEjectionPercent: 50 },
        tls: { mode: 'MUTUAL', clientCertificate: '/a', privateKey: '/b', caCertificates: '/c', subjectAltNames: ['a'], sni: 'a.com' },
        portLevelSettings: [{ port: { number: 80 }, loadBalancer: { simple: 'ROUND_ROBIN' }, tls: { mode: 'ISTIO_MUTUAL' } }],
        proxyProtocol: { version: 'V2' }, retryBudget: { percent: 20, minRetryConcurrency: 3 },
      },
      subsets: [{ name: 'v1', labels: { version: 'v1' }, trafficPolicy: { loadBalancer: { simple: 'RANDOM' } } }],
    },
  }],
  Gateway: [{
    apiVersion: 'networking.istio.io/v1', kind: 'Gateway', metadata: meta('edge'),
    spec: {
      selector: { istio: 'ingressgateway' },
      servers: [
        { port: { number: 80, name: 'http', protocol: 'HTTP' }, hosts: ['*.example.com', './a.com'], tls: { httpsRedirect: true } },
        { port: { number: 443, name: 'https', protocol: 'HTTPS' }, bind: '::', hosts: ['*'], tls: { mode: 'MUTUAL', credentialName: 'edge', minProtocolVersion: 'TLSV1_2', cipherSuites: ['AES128-SHA'], subjectAltNames: ['spiffe://a'] } },
        { port: { number: 0, name: 'socket', protocol: 'TCP' }, bind: 'unix:///run/a', hosts: ['*'] },
      ],
    },
  }],
  ServiceEntry: [
    {
      apiVersion: 'networking.istio.io/v1', kind: 'ServiceEntry', metadata: meta('db'),
      spec: {
        hosts: ['db.example.com'], addresses: ['10.0.0.0/24'], ports: [{ number: 3306, name: 'mysql', protocol: 'MYSQL', targetPort: 3307 }], location: 'MESH_INTERNAL', resolution: 'STATIC',
        endpoints: [{ address: '10.0.0.1', ports: { mysql: 33_060 }, labels: { a: 'b' }, locality: 'a/b/c', weight: 3, serviceAccount: 'db' }], exportTo: ['*'], subjectAltNames: ['a'],
      },
    },
    { apiVersion: 'networking.istio.io/v1', kind: 'ServiceEntry', metadata: meta('all'), spec: { hosts: ['*.example.com'], ports: [{ number: 443, name: 'tls', protocol: 'TLS' }], resolution: 'DYNAMIC_DNS' } },
  ],
  Sidecar: [{
    apiVersion: 'networking.istio.io/v1', kind: 'Sidecar', metadata: meta('default'),
    spec: {
      workloadSelector: { labels: { app: 'a' } },
      ingress: [{ port: { number: 9080, protocol: 'HTTP', name: 'http' }, defaultEndpoint: '127.0.0.1:8080', tls: { mode: 'SIMPLE', serverCertificate: '/a', privateKey: '/b' }, connectionPool: { tcp: {} } }],
      egress: [{ port: { number: 80, protocol: 'HTTP', name: 'http' }, bind: '127.0.0.1', captureMode: 'NONE', hosts: ['./*'] }, { hosts: ['*/a.com', '~x/b.com'] }],
      inboundConnectionPool: { http: { http1MaxPendingRequests: 3 } },
      outboundTrafficPolicy: { mode: 'ALLOW_ANY', egressProxy: { host: 'a.com', port: { number: 80 } } },
    },
  }],
  WorkloadEntry: [{ apiVersion: 'networking.istio.io/v1', kind: 'WorkloadEntry', metadata: meta('vm'), spec: { address: 'vm.example.com', ports: { http: 80 }, labels: { a: 'b' }, network: 'n', locality: 'a/b', weight: 2, serviceAccount: 's' } }],
  WorkloadGroup: [{ apiVersion: 'networking.istio.io/v1', kind: 'WorkloadGroup', metadata: meta('vms'), spec: { metadata: { labels: { a: 'b' }, annotations: { c: 'd' } }, template: { ports: { http: 80 }, labels: { a: 'b' }, network: 'n', locality: 'a/b', weight: 2, serviceAccount: 's' }, probe: { initialDelaySeconds: 1, periodSeconds: 5, httpGet: { path: '/', port: 80, host: 'h', scheme: 'HTTPS', httpHeaders: [{ name: 'a', value: 'b' }] } } } }],
  ProxyConfig: [{ apiVersion: 'networking.istio.io/v1beta1', kind: 'ProxyConfig', metadata: meta('p'), spec: { selector: { matchLabels: { a: 'b' } }, concurrency: 2, environmentVariables: { A: 'b' }, image: { imageType: 'debug' } } }],
  AuthorizationPolicy: [{
    apiVersion: 'security.istio.io/v1', kind: 'AuthorizationPolicy', metadata: meta('a'),
    spec: {
      selector: { matchLabels: { a: 'b' } }, action: 'DENY',
      rules: [{
        from: [{ source: { principals: ['cluster.local/ns/a/sa/b'], notNamespaces: ['c'], ipBlocks: ['10.0.0.0/8'] } }],
        to: [{ operation: { hosts: ['*.example.com'], methods: ['GET'], paths: ['/a*'], notPorts: ['80'] } }],
        when: [{ key: 'request.headers[x-a]', values: ['b'] }],
      }],
    },
  }],
  RequestAuthentication: [{
    apiVersion: 'security.istio.io/v1', kind: 'RequestAuthentication', metadata: meta('a'),
    spec: { selector: { matchLabels: { a: 'b' } }, jwtRules: [{ issuer: 'https://a.example', jwksUri: 'https://a.example/keys', audiences: ['b'], fromHeaders: [{ name: 'x-token', prefix: 'Bearer ' }], fromParams: ['t'], forwardOriginalToken: true, outputClaimToHeaders: [{ header: 'x-sub', claim: 'sub' }] }] },
  }],
  PeerAuthentication: [{ apiVersion: 'security.istio.io/v1', kind: 'PeerAuthentication', metadata: meta('a'), spec: { selector: { matchLabels: { a: 'b' } }, mtls: { mode: 'STRICT' }, portLevelMtls: { 80: { mode: 'DISABLE' } } } }],
  RouteTest: [{
    apiVersion: 'trysail.dev/v1', kind: 'RouteTest', metadata: meta('reviews'),
    spec: {
      defaults: { from: 'productpage-v1', request: { url: 'http://reviews:9080/', headers: { a: 'b' } } },
      tests: [
        { name: 'split', expect: { destinations: [{ host: 'reviews', subset: 'v1', weight: 90 }, { subset: 'v2', weight: 10 }], timeout: '2s', retries: { attempts: 2, perTryTimeout: '1s', retryOn: '5xx' } }, not: { rewrite: {} } },
        { name: 'rows', requests: [{ path: '/a', name: 'one' }, { method: 'POST', sourceIP: '192.0.2.9', expect: { status: 404 } }], expect: { redirect: { code: 301, path: '/b' }, headers: { request: { set: { a: 'b' }, remove: ['c'] } } } },
        { name: 'connection', from: 'shop/web', request: { url: 'tls://db:5432', sni: 'db.example.com' }, expect: { faults: { delay: { fixedDelay: '1s', percentage: 5 } }, denied: false, mirrors: [{ host: 'm' }] } },
      ],
    },
  }],
  Process: [{
    apiVersion: 'trysail.dev/v1', kind: 'Process', metadata: meta('web'),
    spec: {
      serviceAccount: 'web', command: ['node', 'web.js'], env: { A: 'b' }, workingDir: '.', ports: [{ name: 'http', containerPort: 8080, hostPort: 18_080 }],
      readiness: { httpGet: { path: '/ready', port: 8080, httpHeaders: [{ name: 'a', value: 'b' }] }, periodSeconds: 0.5 }, terminationGracePeriodSeconds: 5,
    },
  }],
  Service: [{
    apiVersion: 'v1', kind: 'Service', metadata: meta('reviews'),
    spec: { type: 'ClusterIP', clusterIP: '10.0.0.1', clusterIPs: ['10.0.0.1'], ports: [{ name: 'http', port: 80, targetPort: 'web', protocol: 'TCP', appProtocol: 'http' }], selector: { app: 'a' }, ipFamilies: ['IPv4'], trafficDistribution: 'PreferClose' },
    status: { loadBalancer: { ingress: [{ ip: '10.0.0.2' }] } },
  }],
  EndpointSlice: [{
    apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', metadata: meta('reviews-x'), addressType: 'IPv6',
    endpoints: [{ addresses: ['2001:db8::1'], conditions: { ready: true, serving: true, terminating: false }, nodeName: 'n', zone: 'z', targetRef: { kind: 'Pod', name: 'p', namespace: 'shop' } }], ports: [{ name: 'http', port: 80, protocol: 'TCP' }],
  }],
  Endpoints: [{ apiVersion: 'v1', kind: 'Endpoints', metadata: meta('reviews'), subsets: [{ addresses: [{ ip: '10.0.0.1', nodeName: 'n', targetRef: { kind: 'Pod', name: 'p' } }], notReadyAddresses: [{ ip: '10.0.0.2' }], ports: [{ name: 'http', port: 80 }] }] }],
  Pod: [{
    apiVersion: 'v1', kind: 'Pod', metadata: meta('p'),
    spec: { serviceAccountName: 's', nodeName: 'n', containers: [{ name: 'a', image: 'b', ports: [{ containerPort: 80, name: 'web' }], resources: {} }] },
    status: { phase: 'Running', podIP: '10.0.0.1', podIPs: [{ ip: '10.0.0.1' }], conditions: [{ type: 'Ready', status: 'True' }] },
  }],
  Deployment: [{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: meta('d'), spec: { replicas: 1, template: { metadata: { labels: { app: 'a' } }, spec: { serviceAccountName: 's', containers: [] } } } }],
  Node: [{ apiVersion: 'v1', kind: 'Node', metadata: { name: 'n', labels: { 'topology.kubernetes.io/zone': 'z' } }, spec: { podCIDR: '10.0.0.0/8' }, status: {} }],
  Namespace: [{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop', labels: { 'istio-injection': 'enabled' } }, spec: { finalizers: ['kubernetes'] } }],
  ServiceAccount: [{ apiVersion: 'v1', kind: 'ServiceAccount', metadata: meta('s'), secrets: [{ name: 'x' }] }],
  Secret: [{ apiVersion: 'v1', kind: 'Secret', metadata: meta('s'), type: 'kubernetes.io/tls', data: { 'tls.crt': 'YQ==', 'tls.key': '' }, stringData: { a: 'b' }, immutable: true }],
  ConfigMap: [
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'istio', namespace: 'istio-system' }, data: { mesh: 'trustDomain: a.com\naccessLogFile: /dev/stdout\noutboundTrafficPolicy: { mode: REGISTRY_ONLY }\n', meshNetworks: 'networks: {}' } },
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: meta('other'), data: { mesh: '{' }, binaryData: { a: 'YQ==' } },
  ],
}
