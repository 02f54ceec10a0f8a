// The client's side of one request, whatever protocol carries it.
import type { HeaderList } from '../../codec/header-list.ts'

export interface Downstream {
  writeInformational(status: number, headers: HeaderList): void
  /** `bodyLength` as in the upstream contract: -1 not known, 0 none. */
  writeHead(status: number, headers: HeaderList, bodyLength: number): void
  /** False: stop until `onWritable`. */
  writeData(bytes: Uint8Array, at: number, end: number): boolean
  /** The response is complete. The next request may begin inside this call. */
  writeEnd(trailers: HeaderList | undefined): void
  /** What was begun cannot be finished: the client must see that it was cut short. */
  abort(): void
  pauseRequest(): void
  resumeRequest(): void
}
