// Waits for what nobody announces: the condition is looked at again and again, with a limit.
import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'

/** `what` is for the message of a wait in vain: what should have come about, or what stands instead. */
export async function until(condition: () => boolean | Promise<boolean>, what: string | (() => string) = 'it', timeoutMs = 20_000): Promise<void> {
  const end = Date.now() + timeoutMs
  while (!(await condition())) {
    if (Date.now() >= end) assert.fail(`did not happen within ${timeoutMs} ms: ${typeof what === 'string' ? what : what()}`)
    await pause(5)
  }
}
