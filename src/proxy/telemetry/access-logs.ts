// Compiles Envoy's AccessLog messages into one function that logs an entry. Where a log goes is the sinks' matter; what it
// cannot serve it refuses, so that nobody waits for lines that never come.
import { anyUnpack } from '@bufbuild/protobuf/wkt'
import type { Any } from '@bufbuild/protobuf/wkt'
import type { AccessLog } from '../../proto/gen/envoy/config/accesslog/v3/accesslog_pb.ts'
import type { SubstitutionFormatString } from '../../proto/gen/envoy/config/core/v3/substitution_format_string_pb.ts'
import { FileAccessLogSchema } from '../../proto/gen/envoy/extensions/access_loggers/file/v3/file_pb.ts'
import type { FileAccessLog } from '../../proto/gen/envoy/extensions/access_loggers/file/v3/file_pb.ts'
import { StderrAccessLogSchema, StdoutAccessLogSchema } from '../../proto/gen/envoy/extensions/access_loggers/stream/v3/stream_pb.ts'
import type { AccessLogEntry } from '../../telemetry/access-log-entry.ts'
import { compileJson } from '../../telemetry/access-log/json-format.ts'
import { compileText, envoyFormat } from '../../telemetry/access-log/text-format.ts'
import type { FormatEntry } from '../../telemetry/access-log/text-format.ts'
import type { LogSinks } from '../../telemetry/sink/log-files.ts'
import { badConfig, within } from '../http/router/problem.ts'
import { compileFilter } from './access-log-filter.ts'

export type LogEntry = (entry: AccessLogEntry) => void

/** Undefined when there is nothing to log to. Throws `proxy/bad-config`, which rejects the resource. */
export function compileAccessLogs(config: readonly AccessLog[], sinks: LogSinks): LogEntry | undefined {
  const logs = config.map((log) => within(`access log ${log.name === '' ? '(unnamed)' : log.name}`, () => compileLog(log, sinks)))
  if (logs.length < 2) return logs[0]
  return (entry) => {
    for (const log of logs) log(entry)
  }
}

function compileLog({ filter, configType }: AccessLog, sinks: LogSinks): LogEntry {
  const wanted = filter === undefined ? undefined : compileFilter(filter)
  const { path, format } = targetOf(configType.case === 'typedConfig' ? configType.value : undefined)
  const write = sinks.open(path)
  if (wanted === undefined) return (entry) => write(format(entry))
  return (entry) => {
    if (wanted(entry)) write(format(entry))
  }
}

interface Target {
  readonly path: string
  readonly format: FormatEntry
}

function targetOf(any: Any | undefined): Target {
  if (any === undefined) throw badConfig('it has no typed_config')
  const file = anyUnpack(any, FileAccessLogSchema)
  if (file !== undefined) return { path: file.path, format: fileFormat(file) }
  const stdout = anyUnpack(any, StdoutAccessLogSchema)
  if (stdout !== undefined) return { path: '/dev/stdout', format: formatOf(stdout.accessLogFormat.value) }
  const stderr = anyUnpack(any, StderrAccessLogSchema)
  if (stderr !== undefined) return { path: '/dev/stderr', format: formatOf(stderr.accessLogFormat.value) }
  throw badConfig(`${any.typeUrl} is not served yet; files, stdout and stderr are`)
}

function fileFormat({ accessLogFormat: { case: kind, value } }: FileAccessLog): FormatEntry {
  switch (kind) {
    case 'format': return compileText(value === '' ? envoyFormat : value)
    case 'jsonFormat':
    case 'typedJsonFormat': return compileJson(value)
    default: return formatOf(value)
  }
}

function formatOf(message: SubstitutionFormatString | undefined): FormatEntry {
  if (message === undefined) return compileText(envoyFormat)
  const { format: { case: kind, value }, omitEmptyValues: omitEmpty, formatters } = message
  if (formatters.length > 0) throw badConfig(`formatter ${formatters[0]!.name} is not served yet`)
  switch (kind) {
    case 'textFormat': return compileText(value === '' ? envoyFormat : value, { omitEmpty })
    case 'jsonFormat': return compileJson(value, { omitEmpty })
    case 'textFormatSource':
      if (value.specifier.case !== 'inlineString') throw badConfig('text_format_source: only inline_string is served')
      return compileText(value.specifier.value, { omitEmpty })
    default: throw badConfig('log_format has neither a text nor a JSON format')
  }
}
