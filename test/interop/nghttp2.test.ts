// Our HTTP/2 codec against nghttp2's own programs: nghttp and h2load as clients, nghttpd as a server. Without them it says so.
import assert from 'node:assert/strict'
import { execFile, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { HeaderList } from '../../src/codec/header-list.ts'
import { openSession, serveSession } from '../support/h2-socket.ts'
import type { Reactions } from '../support/h2-socket.ts'
import { freePort } from '../support/hosts.ts'

const run = promisify(execFile)
const found = (program: string): boolean => spawnSync(program, ['--version']).error === undefined
const skip = ['nghttp', 'h2load', 'nghttpd'].every(found) ? false : 'nghttp2 (nghttp, h2load, nghttpd) is not installed'
const timeout = 30_000

async function serve(reactions: Reactions): Promise<AsyncDisposable & { readonly url: string }> {
  const server = createServer((socket) => serveSession(socket, reactions))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const body = Buffer.alloc(100_000, 'b')
const echo: Reactions = {
  onDone(stream, seen) {
    if (seen.reset !== undefined) return
    stream.sendResponse(200, HeaderList.of('x-path', seen.head[3]!, 'content-type', 'text/plain'), false)
    const answer = seen.body.length > 0 ? seen.body : body
    stream.sendData(answer, 0, answer.length)
    stream.sendEnd(HeaderList.of('x-end', 'yes'))
  },
}

test('nghttp gets a body with trailers, and sends one with padding, priorities and CONTINUATION', { skip, timeout }, async () => {
  await using server = await serve(echo)
  const plain = await run('nghttp', ['-v', `${server.url}/a?b`], { maxBuffer: 1e7 })
  for (const expected of [/x-path: \/a\?b/, /x-end: yes/]) assert.match(plain.stdout, expected)
  assert.doesNotMatch(plain.stdout, /RST_STREAM|error_code=(?!NO_ERROR)/)
  const folder = await mkdtemp(join(tmpdir(), 'nghttp-'))
  try {
    const file = join(folder, 'body')
    await writeFile(file, Buffer.alloc(300_000, 'q'))
    const posted = await run('nghttp', ['-d', file, '-b', '200', '--continuation', '-p', '7', '--trailer', 'x-t: 1', `${server.url}/post`], { maxBuffer: 1e7 })
    assert.equal(posted.stdout, 'q'.repeat(300_000))
  } finally {
    await rm(folder, { recursive: true })
  }
})

test('h2load: thousands of requests, many at once, small windows, and every one succeeds', { skip, timeout }, async () => {
  await using server = await serve(echo)
  for (const options of [['-n', '3000', '-c', '4', '-m', '100'], ['-n', '200', '-c', '2', '-m', '20', '-w', '10', '-W', '10'], ['-n', '500', '-c', '5', '-m', '50', '--header-table-size=0', '--encoder-header-table-size=0']]) {
    const { stdout } = await run('h2load', [...options, `${server.url}/`])
    const total = options[1]!
    assert.match(stdout, new RegExp(`${total} total, ${total} started, ${total} done, ${total} succeeded, 0 failed, 0 errored`), stdout)
    assert.match(stdout, new RegExp(`${total} 2xx`))
  }
})

test('nghttpd answers our client, and echoes what it uploads', { skip, timeout }, async () => {
  const port = await freePort()
  const folder = await mkdtemp(join(tmpdir(), 'nghttpd-'))
  await writeFile(join(folder, 'file'), body)
  const child = spawn('nghttpd', ['--no-tls', '-d', folder, '--echo-upload', '--trailer', 'x-end: yes', '-m', '50', '-a', '127.0.0.1', String(port)], { stdio: 'ignore' })
  try {
    await listening(port)
    await using client = await openSession(port)
    const got = await client.ask('GET', '/file', ['x-a', 'b'])
    assert.deepEqual([got.head[0], got.body.equals(body), got.trailers], ['200', true, ['x-end', 'yes']])
    const missing = await client.ask('GET', '/nothing', [])
    assert.equal(missing.head[0], '404')
    const upload = Buffer.alloc(500_000, 'u')
    const echoed = await client.ask('POST', '/echo', [], upload)
    assert.deepEqual([echoed.head[0], echoed.body.equals(upload)], ['200', true])
    const many = await Promise.all(Array.from({ length: 50 }, () => client.ask('GET', '/file', [])))
    assert.ok(many.every((one) => one.body.equals(body)))
  } finally {
    child.kill()
    await once(child, 'exit')
    await rm(folder, { recursive: true })
  }
})

async function listening(port: number): Promise<void> {
  for (let tries = 0; ; tries++) {
    const socket = connect(port, '127.0.0.1')
    const ok = await Promise.race([once(socket, 'connect').then(() => true), once(socket, 'error').then(() => false)]).catch(() => false)
    socket.destroy()
    if (ok) return
    assert.ok(tries < 500, 'nghttpd does not listen')
    await sleep(10)
  }
}
