// One request and its response as filters see it: heads, peer, a slot per filter, and what the log will ask.
import type { HeaderList } from '../../codec/header-list.ts'
import type { AccessLogEntry } from '../../telemetry/access-log-entry.ts'

export interface Exchange extends AccessLogEntry {
  readonly requestHeaders: HeaderList
  /** Undefined until the response's head is there. */
  readonly responseHeaders: HeaderList | undefined
  /** State of each filter, by the filter's index in its chain. */
  readonly slots: unknown[]
}
