// The test files that take longest, longest first, with the seconds that they took on two quiet cores. They are started first: one that
// begins when the others are done is waited for alone. Nothing breaks when this is out of date; the end of every run says the ten slowest.
const longestFiles: Readonly<Record<string, number>> = {
  'test/e2e/proxy-take-over.test.ts': 33,
  'test/netns/demo.test.ts': 26,
  'test/e2e/control-plane-away.test.ts': 23,
  'test/e2e/demo.test.ts': 22,
  'test/integration/upstream-idle-races.test.ts': 17,
  'test/e2e/rolling.test.ts': 17,
  'test/integration/proxy-listen.test.ts': 16,
  'test/e2e/run-process.test.ts': 15,
  'test/e2e/workload-health.test.ts': 14,
  'test/e2e/long-lived.test.ts': 14,
  'test/e2e/agent-run.test.ts': 13,
  'test/e2e/endings.test.ts': 13,
  'test/integration/plug-in-ca.test.ts': 12,
  'test/fuzz/kinds.fuzz.test.ts': 11,
  'test/e2e/wrong-credentials.test.ts': 11,
  'test/netns/sidecar-capture.test.ts': 11,
  'test/integration/bench-smoke.test.ts': 10,
}

/** A whole mesh is started. */
const meshSeconds = 8
const otherSeconds = 1

export function longestFirst(files: readonly string[]): readonly string[] {
  const seconds = (file: string): number => longestFiles[file] ?? (/^test\/(e2e|netns|interop\/differential)\//.test(file) ? meshSeconds : otherSeconds)
  return [...files].sort((one, other) => seconds(other) - seconds(one) || one.localeCompare(other))
}
