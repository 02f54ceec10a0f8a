// HAProxy in each role: proxies that do what ours do, and an upstream that speaks our sidecars' TLS. One thread.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { body } from './nginx.ts'
import type { TwinPlace } from './nginx.ts'

/** Writes the configuration and returns the command line. */
function haproxy(folder: string, name: string, text: string): readonly string[] {
  const file = join(folder, `${name}.cfg`)
  writeFileSync(file, `global
  nbthread 1
  maxconn 9900
  ssl-default-bind-options ssl-min-ver TLSv1.3
  tune.ssl.default-dh-param 2048
  tune.h2.max-concurrent-streams 1000
  tune.h2.initial-window-size 1048576
defaults
  mode http
  timeout connect 5s
  timeout client 300s
  timeout server 15s
  timeout http-keep-alive 300s
${text}`)
  return ['haproxy', '-db', '-f', file]
}

/** The log line, header edits, request id, routes, retries and timeouts of bench/mesh/routes.yaml. The log goes out unbuffered: it has no other way. */
export function haproxyGateway({ folder, port, upstream }: TwinPlace): readonly string[] {
  const routes = Array.from({ length: 20 }, (_, i) => `  use_backend b if { path_beg /api/v${i}/ }`).join('\n')
  return haproxy(folder, 'haproxy-gateway', `frontend f
  bind 127.0.0.1:${port}
  log stdout format raw local0
  log-format "[%tr] \\"%r\\" %ST %U %B %Tr %Ta \\"%[capture.req.hdr(1)]\\" \\"%[capture.req.hdr(2)]\\" \\"%ID\\" \\"%[capture.req.hdr(0)]\\" %si:%sp %fi:%fp %ci:%cp"
  unique-id-format %[uuid()]
  unique-id-header x-request-id
  capture request header host len 64
  capture request header x-forwarded-for len 64
  capture request header user-agent len 64
  option forwardfor
  http-request set-header x-forwarded-proto http
  http-request set-header x-envoy-attempt-count 1
  http-request set-header x-bench gateway
  http-request del-header x-secret
  http-response del-header x-upstream-secret
  http-response set-header x-served-by bench
  http-response set-header x-envoy-upstream-service-time 1
${routes}
  default_backend b
backend b
  balance random(2)
  http-reuse always
  retries 2
  retry-on conn-failure 503
  option redispatch
  server s 127.0.0.1:${upstream}
`)
}

/** Bare: mutual TLS in, plain out. */
export function haproxyInbound({ folder, port, upstream }: TwinPlace): readonly string[] {
  return haproxy(folder, 'haproxy-inbound', `frontend f
  bind 127.0.0.1:${port} ssl crt ${join(folder, 'server.both.pem')} ca-file ${join(folder, 'roots.pem')} verify required
  default_backend b
backend b
  http-reuse always
  server s 127.0.0.1:${upstream}
`)
}

/** Bare: plain in, mutual TLS out. */
export function haproxyOutbound({ folder, port, upstream }: TwinPlace): readonly string[] {
  return haproxy(folder, 'haproxy-outbound', `frontend f
  bind 127.0.0.1:${port}
  default_backend b
backend b
  http-reuse always
  server s 127.0.0.1:${upstream} ssl crt ${join(folder, 'client.both.pem')} ca-file ${join(folder, 'roots.pem')} verify required
`)
}

/** HTTP/2 by prior knowledge on both sides, bare. */
export function haproxyH2({ folder, port, upstream }: TwinPlace): readonly string[] {
  return haproxy(folder, 'haproxy-h2', `frontend f
  bind 127.0.0.1:${port} proto h2
  default_backend b
backend b
  http-reuse always
  server s 127.0.0.1:${upstream} proto h2
`)
}

/** Bytes in, bytes out. */
export function haproxyRelay({ folder, port, upstream }: TwinPlace): readonly string[] {
  return haproxy(folder, 'haproxy-relay', `listen l
  mode tcp
  bind 127.0.0.1:${port}
  server s 127.0.0.1:${upstream}
`)
}

/** Mutual TLS in, its bytes out. */
export function haproxyTlsRelay({ folder, port, upstream }: TwinPlace): readonly string[] {
  return haproxy(folder, 'haproxy-tls-relay', `listen l
  mode tcp
  bind 127.0.0.1:${port} ssl crt ${join(folder, 'server.both.pem')} ca-file ${join(folder, 'roots.pem')} verify required
  server s 127.0.0.1:${upstream}
`)
}

/** What stands for the server's sidecar when only the client's is measured: nginx cannot take our sidecars' ALPN. */
export function haproxyTlsUpstream(folder: string, port: number): readonly string[] {
  return haproxy(folder, 'tls-upstream', `frontend f
  bind 127.0.0.1:${port} ssl crt ${join(folder, 'server.both.pem')} ca-file ${join(folder, 'roots.pem')} verify required alpn istio-http/1.1,istio,http/1.1
  http-request return status 200 content-type text/plain string "${body}"
`)
}
