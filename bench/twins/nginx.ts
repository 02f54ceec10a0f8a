// nginx in each role: the upstream, and proxies that do what ours do. One worker.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface TwinPlace {
  /** For configuration, log and temporary files. */
  readonly folder: string
  readonly port: number
  readonly upstream: number
}

/** Writes the configuration and returns the command line. */
function nginx(folder: string, name: string, http: string): readonly string[] {
  const at = (file: string): string => join(folder, `${name}.${file}`)
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path ${at(kind)};`).join(' ')
  writeFileSync(at('conf'), `worker_processes 1; daemon off; pid ${at('pid')}; error_log ${at('error.log')};
events { worker_connections 20000; }
http {
  ${temporary}
  keepalive_requests 100000000; keepalive_timeout 300s;
${http}
}
`)
  return ['nginx', '-c', at('conf')]
}

/** A megabyte of the application behind every proxy. */
export const bigPath = '/megabyte'

/** The application behind every proxy: 1 KB for any path but one. */
export function nginxUpstream(folder: string, port: number): readonly string[] {
  writeFileSync(join(folder, bigPath), Buffer.alloc(2 ** 20, body), { mode: 0o644 })
  return nginx(folder, 'upstream', `  access_log off; sendfile on;
  server { listen 127.0.0.1:${port} reuseport backlog=4096; location / { return 200 "${body}"; } location = ${bigPath} { root ${folder}; } }`)
}

export const body = 'a kilobyte of text. '.repeat(52).slice(0, 1023)

const upstreamBlock = (port: number, more = ''): string =>
  `  upstream u { ${more}server 127.0.0.1:${port}; keepalive 256; keepalive_requests 100000000; }`

/** The log line, header edits, request id, routes, retries and timeouts of bench/mesh/routes.yaml. */
export function nginxGateway({ folder, port, upstream }: TwinPlace): readonly string[] {
  const format = `[$time_iso8601] "$request" $status "$upstream_status" $request_length $bytes_sent $request_time $upstream_response_time `
    + `"$http_x_forwarded_for" "$http_user_agent" "$request_id" "$host" "$upstream_addr" $server_addr:$server_port $remote_addr:$remote_port`
  const locations = ['/', ...Array.from({ length: 20 }, (_, i) => `/api/v${i}/`)].map((path) => `    location ${path} { proxy_pass http://u; }`)
  return nginx(folder, 'nginx-gateway', `  log_format like_istio '${format}';
  access_log ${join(folder, 'nginx-gateway.access.log')} like_istio buffer=64k flush=1s;
${upstreamBlock(upstream, 'random two least_conn; ')}
  server {
    listen 127.0.0.1:${port}; server_name bench.example.com;
    proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;
    proxy_set_header X-Request-Id $request_id; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto http; proxy_set_header X-Envoy-Attempt-Count 1; proxy_set_header X-Bench gateway;
    proxy_set_header X-Secret ""; proxy_hide_header X-Upstream-Secret; add_header X-Served-By bench;
    add_header X-Envoy-Upstream-Service-Time $upstream_response_time;
    proxy_next_upstream error timeout http_503; proxy_next_upstream_tries 3; proxy_next_upstream_timeout 15s;
    proxy_connect_timeout 5s; proxy_read_timeout 15s; proxy_send_timeout 15s;
${locations.join('\n')}
  }`)
}

const plainProxy = 'proxy_http_version 1.1; proxy_set_header Connection "";'

/** Bare: mutual TLS in, plain out. */
export function nginxInbound({ folder, port, upstream }: TwinPlace): readonly string[] {
  return nginx(folder, 'nginx-inbound', `  access_log off;
  ssl_certificate ${join(folder, 'server.pem')}; ssl_certificate_key ${join(folder, 'server.key')};
  ssl_client_certificate ${join(folder, 'roots.pem')}; ssl_verify_client on; ssl_protocols TLSv1.3;
${upstreamBlock(upstream)}
  server { listen 127.0.0.1:${port} ssl; location / { proxy_pass http://u; ${plainProxy} } }`)
}

/** Bare: plain in, mutual TLS out. It can only look for DNS names in certificates, so it does not look. */
export function nginxOutbound({ folder, port, upstream }: TwinPlace): readonly string[] {
  return nginx(folder, 'nginx-outbound', `  access_log off;
${upstreamBlock(upstream)}
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass https://u; ${plainProxy} proxy_ssl_protocols TLSv1.3;
      proxy_ssl_certificate ${join(folder, 'client.pem')}; proxy_ssl_certificate_key ${join(folder, 'client.key')};
    }
  }`)
}
