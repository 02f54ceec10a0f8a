-- Makes wrk say the same line of JSON as generator.c.
function done(summary, latency)
  local e = summary.errors
  io.write(string.format(
    '{"requests":%d,"rps":%.0f,"errors":%d,"not2xx":%d,"p50":%.0f,"p90":%.0f,"p99":%.0f,"p999":%.0f,"max":%.0f}\n',
    summary.requests, summary.requests / summary.duration * 1e6, e.connect + e.read + e.write + e.timeout, e.status,
    latency:percentile(50), latency:percentile(90), latency:percentile(99), latency:percentile(99.9), latency.max))
end
