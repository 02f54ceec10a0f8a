// A program in a mesh: the WebSocket server of support/websocket-echo.ts on its port.
import { WebSocketEcho } from '../websocket-echo.ts'

const echo = await WebSocketEcho.start(Number(process.env['PORT']))
process.once('SIGTERM', () => void echo[Symbol.asyncDispose]().then(() => process.exit(0)))
