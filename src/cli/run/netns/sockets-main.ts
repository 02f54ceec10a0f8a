// A program of a moment: `run` starts it in the network between the workloads, it makes the sockets there that `run` serves
// (sockets.ts), hands them over, and ends.
import { describe } from '../../../lib/errors.ts'
import { socketsToParent } from '../../../net/sockets-to-parent.ts'
import type { MadeSocket, WantedSocket } from '../../../net/sockets-to-parent.ts'

const send = (message: MadeSocket, socket: object, done: (error: Error | null) => void): void => {
  Reflect.apply(process.send!, process, [message, socket, {}, done])
}

try {
  await socketsToParent(JSON.parse(process.argv[2] ?? '[]') as WantedSocket[], send)
  process.exit(0)
} catch (error) {
  process.stderr.write(`${describe(error)}\n`)
  process.exit(1)
}
