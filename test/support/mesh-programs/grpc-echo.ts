// A program in a mesh: the gRPC service of support/grpc-echo.ts on its port.
import { GrpcEcho } from '../grpc-echo.ts'

const echo = await GrpcEcho.start(Number(process.env['PORT']))
process.once('SIGTERM', () => void echo[Symbol.asyncDispose]().then(() => process.exit(0)))
