// Where and how proxies log requests, as MeshConfig says (security spec 3.6).
import type { JsonObject } from '@bufbuild/protobuf'
import type { AccessLogSchema } from '../../../proto/gen/envoy/config/accesslog/v3/accesslog_pb.ts'
import { FileAccessLogSchema } from '../../../proto/gen/envoy/extensions/access_loggers/file/v3/file_pb.ts'
import type { MeshSettings } from '../../mesh-settings.ts'
import { packed } from '../any.ts'
import type { Init } from '../any.ts'

const defaultText = '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% '
  + '%RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% "%UPSTREAM_TRANSPORT_FAILURE_REASON%" %BYTES_RECEIVED% %BYTES_SENT% '
  + '%DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" '
  + '"%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%" %UPSTREAM_CLUSTER_RAW% %UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% '
  + '%DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME% %ROUTE_NAME%\n'

const defaultJson: JsonObject = {
  start_time: '%START_TIME%',
  route_name: '%ROUTE_NAME%',
  method: '%REQ(:METHOD)%',
  path: '%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%',
  protocol: '%PROTOCOL%',
  response_code: '%RESPONSE_CODE%',
  response_flags: '%RESPONSE_FLAGS%',
  response_code_details: '%RESPONSE_CODE_DETAILS%',
  connection_termination_details: '%CONNECTION_TERMINATION_DETAILS%',
  bytes_received: '%BYTES_RECEIVED%',
  bytes_sent: '%BYTES_SENT%',
  duration: '%DURATION%',
  upstream_service_time: '%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%',
  x_forwarded_for: '%REQ(X-FORWARDED-FOR)%',
  user_agent: '%REQ(USER-AGENT)%',
  request_id: '%REQ(X-REQUEST-ID)%',
  authority: '%REQ(:AUTHORITY)%',
  upstream_host: '%UPSTREAM_HOST%',
  upstream_cluster: '%UPSTREAM_CLUSTER_RAW%',
  upstream_local_address: '%UPSTREAM_LOCAL_ADDRESS%',
  downstream_local_address: '%DOWNSTREAM_LOCAL_ADDRESS%',
  downstream_remote_address: '%DOWNSTREAM_REMOTE_ADDRESS%',
  requested_server_name: '%REQUESTED_SERVER_NAME%',
  upstream_transport_failure_reason: '%UPSTREAM_TRANSPORT_FAILURE_REASON%',
}

type AccessLogInit = Init<typeof AccessLogSchema>

/** Empty when MeshConfig names no file. */
export function accessLogs(mesh: MeshSettings): AccessLogInit[] {
  return mesh.accessLogFile === '' ? [] : [fileLog(mesh)]
}

/** For connections that no filter chain takes: those alone, with flag NR, where the mesh wants them logged. */
export function noRouteLogs(mesh: MeshSettings): AccessLogInit[] {
  if (!mesh.logsListeners) return []
  const filter = { filterSpecifier: { case: 'responseFlagFilter' as const, value: { flags: ['NR'] } } }
  return accessLogs(mesh).map((log) => ({ ...log, filter }))
}

function fileLog(mesh: MeshSettings): AccessLogInit {
  const format = mesh.accessLogJson
    ? { case: 'jsonFormat' as const, value: jsonFormat(mesh.accessLogFormat) }
    : { case: 'textFormatSource' as const, value: { specifier: { case: 'inlineString' as const, value: textFormat(mesh.accessLogFormat) } } }
  return {
    name: 'envoy.access_loggers.file',
    configType: {
      case: 'typedConfig',
      value: packed(FileAccessLogSchema, { path: mesh.accessLogFile, accessLogFormat: { case: 'logFormat', value: { format } } }),
    },
  }
}

const textFormat = (own: string): string => (own === '' ? defaultText : own.endsWith('\n') ? own : `${own}\n`)

/** The mesh's own keys; the default ones where they are not JSON. */
function jsonFormat(own: string): JsonObject {
  if (own === '') return defaultJson
  try {
    const parsed: unknown = JSON.parse(own)
    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed) ? parsed as JsonObject : defaultJson
  } catch {
    return defaultJson
  }
}
