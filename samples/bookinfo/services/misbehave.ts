// How an instance goes wrong on purpose, for the tour and for your own experiments. Set by its environment:
//   FAIL_TRIES=2   the first two tries of every request get 503 (a try is told by its x-request-id, so load does not matter)
//   DELAY_MS=500   every answer waits
// or by one request's header: `x-bookinfo-fail: 503`.
import type { Answer, Call } from './service.ts'

const failTries = Number(process.env['FAIL_TRIES'] ?? 0)
const delayMs = Number(process.env['DELAY_MS'] ?? 0)

/** Tries seen by request id. Only the newest ids are kept: a retry comes within seconds. */
const tries = new Map<string, number>()
const maxIds = 10_000

/** What to answer instead, or undefined to behave. */
export function misbehave(call: Call): Answer | Promise<Answer | undefined> | undefined {
  const asked = Number(call.headers['x-bookinfo-fail'])
  if (asked >= 400 && asked <= 599) return failure(asked, 'asked to fail')
  if (failTries > 0 && countTry(String(call.headers['x-request-id'] ?? '')) <= failTries) return failure(503, 'a flaky instance')
  return delayMs > 0 ? new Promise((resolve) => setTimeout(resolve, delayMs, undefined)) : undefined
}

function countTry(requestId: string): number {
  const count = ((tries.get(requestId) ?? 0) % (failTries + 1)) + 1
  tries.delete(requestId)
  tries.set(requestId, count)
  if (tries.size > maxIds) tries.delete(tries.keys().next().value!)
  return count
}

const failure = (status: number, why: string): Answer => ({
  status,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ error: why }),
})
