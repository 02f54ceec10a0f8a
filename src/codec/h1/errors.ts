// What the HTTP/1.1 codec throws: the only thing that leaves it besides events.
import { MeshError } from '../../lib/errors.ts'
import type { H1ErrorCode } from './types.ts'

/** Broken framing or syntax. The connection cannot be used again: answer with `status` if one is still owed, close. */
export class H1Error extends MeshError<H1ErrorCode> {
  /** What a server answers with: 400, 431 or 505. A client treats all of them as a broken connection. */
  readonly status: number

  constructor(code: H1ErrorCode, message: string, status = 400) {
    super(code, message)
    this.name = 'H1Error'
    this.status = status
  }
}
