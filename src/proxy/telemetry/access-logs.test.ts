import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import type { MessageInitShape } from '@bufbuild/protobuf'
import { logEntry } from '../../../test/support/log-entry.ts'
import type { EntryOverrides } from '../../../test/support/log-entry.ts'
import { pack } from '../../../test/support/xds-messages.ts'
import { AccessLogSchema } from '../../proto/gen/envoy/config/accesslog/v3/accesslog_pb.ts'
import type { AccessLogFilterSchema } from '../../proto/gen/envoy/config/accesslog/v3/accesslog_pb.ts'
import { FileAccessLogSchema } from '../../proto/gen/envoy/extensions/access_loggers/file/v3/file_pb.ts'
import { StderrAccessLogSchema, StdoutAccessLogSchema } from '../../proto/gen/envoy/extensions/access_loggers/stream/v3/stream_pb.ts'
import { RouterSchema } from '../../proto/gen/envoy/extensions/filters/http/router/v3/router_pb.ts'
import { compileAccessLogs } from './access-logs.ts'

type Filter = Exclude<MessageInitShape<typeof AccessLogFilterSchema>['filterSpecifier'], undefined>
type FormatOf = Exclude<MessageInitShape<typeof FileAccessLogSchema>['accessLogFormat'], undefined>

const logOf = (format: FormatOf, filter?: Filter, path = '/log') => create(AccessLogSchema, {
  name: 'file', configType: { case: 'typedConfig', value: pack(FileAccessLogSchema, { path, accessLogFormat: format }) },
  ...(filter === undefined ? {} : { filter: { filterSpecifier: filter } }),
})
const text = (format: string): FormatOf => ({ case: 'logFormat', value: { format: { case: 'textFormatSource', value: { specifier: { case: 'inlineString', value: format } } } } })

function linesOf(configs: Parameters<typeof compileAccessLogs>[0], ...entries: EntryOverrides[]): string[] {
  const lines: string[] = []
  const log = compileAccessLogs(configs, { open: (path) => (line) => void lines.push(`${path}: ${line}`) })
  for (const entry of entries) log?.(logEntry(entry))
  return lines
}

test('no access logs: nothing to call', () => {
  assert.equal(compileAccessLogs([], { open: () => () => {} }), undefined)
})

test('every way to give a format', () => {
  const json = { code: '%RESPONSE_CODE%', flags: '%RESPONSE_FLAGS%', absent: '%REQ(X-ABSENT)%' }
  const formats: [FormatOf, string][] = [
    [text('%RESPONSE_CODE%\n'), '200\n'],
    [{ case: 'format', value: 'old %RESPONSE_CODE%' }, 'old 200'],
    [{ case: 'jsonFormat', value: json }, '{"code":200,"flags":"-","absent":null}\n'],
    [{ case: 'logFormat', value: { format: { case: 'textFormat', value: '[%REQ(X-ABSENT)%]' }, omitEmptyValues: true } }, '[]'],
    [{ case: 'logFormat', value: { format: { case: 'jsonFormat', value: json }, omitEmptyValues: true } }, '{"code":200,"flags":"-"}\n'],
  ]
  for (const [format, line] of formats) assert.deepEqual(linesOf([logOf(format)], {}), [`/log: ${line}`])
  assert.match(linesOf([logOf({ case: undefined })], {})[0]!, /^\/log: \[2026-01-31T12:00:05.042Z\] "GET \/reviews\/1 HTTP\/1.1" 200 - 0 295 7 6 "-"/)
})

test('several logs of one manager, to files, stdout and stderr', () => {
  const std = [StdoutAccessLogSchema, StderrAccessLogSchema].map((schema) => create(AccessLogSchema, {
    name: 'std', configType: { case: 'typedConfig', value: pack(schema, { accessLogFormat: { case: 'logFormat', value: { format: { case: 'textFormat', value: 'x' } } } }) },
  }))
  assert.deepEqual(linesOf([logOf(text('a'), undefined, '/a'), ...std], {}), ['/a: a', '/dev/stdout: x', '/dev/stderr: x'])
})

const atLeast = (defaultValue: number): Filter => ({ case: 'statusCodeFilter', value: { comparison: { op: 1, value: { defaultValue, runtimeKey: 'x' } } } })
const flags = (...names: string[]): Filter => ({ case: 'responseFlagFilter', value: { flags: names } })
const both = (kind: 'andFilter' | 'orFilter', ...filters: Filter[]): Filter => ({ case: kind, value: { filters: filters.map((filterSpecifier) => ({ filterSpecifier })) } })

const filters: readonly { readonly title: string; readonly filter: Filter; readonly wanted: readonly EntryOverrides[]; readonly unwanted: readonly EntryOverrides[] }[] = [
  { title: 'status at least', filter: atLeast(400), wanted: [{ responseCode: 400 }, { responseCode: 503 }], unwanted: [{ responseCode: 399 }, { responseCode: 0 }] },
  { title: 'duration at least', filter: { case: 'durationFilter', value: { comparison: { op: 1, value: { defaultValue: 1000, runtimeKey: 'x' } } } }, wanted: [{ duration: 1000 }], unwanted: [{ duration: 999 }] },
  { title: 'one response flag, as listeners have it', filter: flags('NR'), wanted: [{ responseFlags: 'NR' }, { responseFlags: 'DC,NR' }], unwanted: [{}, { responseFlags: 'UH' }] },
  { title: 'any response flag', filter: flags(), wanted: [{ responseFlags: 'UH' }], unwanted: [{}] },
  { title: 'gRPC status', filter: { case: 'grpcStatusFilter', value: { statuses: [5, 13] } }, wanted: [{ grpcStatus: '5' }], unwanted: [{ grpcStatus: '0' }, {}] },
  { title: 'not this gRPC status', filter: { case: 'grpcStatusFilter', value: { statuses: [0], exclude: true } }, wanted: [{ grpcStatus: '5' }], unwanted: [{ grpcStatus: '0' }] },
  { title: 'and', filter: both('andFilter', atLeast(500), flags('UH')), wanted: [{ responseCode: 503, responseFlags: 'UH' }], unwanted: [{ responseCode: 503 }, { responseFlags: 'UH' }] },
  { title: 'or', filter: both('orFilter', atLeast(500), flags('UH')), wanted: [{ responseCode: 503 }, { responseFlags: 'UH' }], unwanted: [{}] },
]

for (const { title, filter, wanted, unwanted } of filters) {
  test(`filter of an access log: ${title}`, () => {
    assert.equal(linesOf([logOf(text('x'), filter)], ...wanted).length, wanted.length)
    assert.deepEqual(linesOf([logOf(text('x'), filter)], ...unwanted), [])
  })
}

const refused: readonly (readonly [string, Parameters<typeof compileAccessLogs>[0][number], RegExp])[] = [
  ['a filter that is not served', logOf(text('x'), { case: 'runtimeFilter', value: { runtimeKey: 'x' } }), /^access log file: its filter of kind runtimeFilter is not served yet; status_code_filter/],
  ['a flag that is none', logOf(text('x'), flags('QQ')), /"QQ", which is no response flag/],
  ['a wrong format', logOf(text('%PROTOKOLL%')), /^access log file: %PROTOKOLL% is not a command operator/],
  ['a format from a file', logOf({ case: 'logFormat', value: { format: { case: 'textFormatSource', value: { specifier: { case: 'filename', value: '/etc/shadow' } } } } }), /only inline_string is served/],
  ['another kind of logger', create(AccessLogSchema, { name: 'als', configType: { case: 'typedConfig', value: pack(RouterSchema, {}) } }), /^access log als: .*Router is not served yet; files, stdout and stderr are/],
  ['a logger without configuration', create(AccessLogSchema, {}), /^access log \(unnamed\): it has no typed_config/],
]

for (const [title, config, message] of refused) {
  test(`an access log is refused for ${title}`, () => assert.throws(() => linesOf([config], {}), { code: 'proxy/bad-config', message }))
}
