// What is wrong with a configuration, with the way to it in front: such a resource is rejected (NACK), never half used.
import { MeshError, describe } from '../../../lib/errors.ts'

export const badConfig = (message: string, cause?: unknown) => new MeshError('proxy/bad-config', message, cause)

/** Runs a step of a compilation; what it throws says where it happened. */
export function within<Result>(where: string, compile: () => Result): Result {
  try {
    return compile()
  } catch (error) {
    throw badConfig(`${where}: ${describe(error)}`)
  }
}
