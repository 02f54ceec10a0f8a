// `trysail agent run` where the kernel captures: proxy and program are told apart by their users or by a mark, whoever started
// them both; the proxy is replaced under the program's traffic, and a killed agent leaves neither behind.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { CapturedMesh } from '../support/captured-mesh.ts'
import { netnsSkip, places } from '../support/capture-world.ts'
import { leavesNothing } from '../support/leaves-nothing.ts'
import { TrysailProcess, trysail } from '../support/trysail-process.ts'

leavesNothing()

const asProgram = ['setpriv', '--reuid=1000', '--regid=1000', '--clear-groups'] as const
const job = [...asProgram, 'sh', '-c', `id -u; curl -sS -m 20 http://${places.IPv4.service}/ && exit 7`]

const byMark = { proxyUids: [], proxyGids: [], proxyMarks: [4321] }
const jobs = [
  { title: 'with TPROXY', capture: { mode: 'TPROXY' }, flags: ['--interception-mode', 'TPROXY'] },
  // As in a user namespace, where there is one user only: whatever of the proxy is not marked, its xDS stream too, comes back to it.
  { title: 'with a mark instead of a user', capture: byMark, flags: ['--proxy-user', '0', '--proxy-mark', '4321'] },
] as const

for (const { title, capture, flags } of jobs) {
  test(`${title}, a job that root starts is captured, its proxy is not, and its exit code is passed on`, { skip: netnsSkip, timeout: 90_000 }, async () => {
    await using mesh = await CapturedMesh.open(capture)
    const [, ...own] = await mesh.proxyFlags()
    const { code, output } = await trysail(
      ['agent', 'run', ...own, '--capture', 'netfilter', ...flags, '--', ...job],
      { cwd: mesh.folder, env: { ...mesh.env, TMPDIR: mesh.folder }, as: mesh.workload.enter() },
    )
    assert.equal(code, 7, output)
    assert.match(output, /"identity":"spiffe:\/\/cluster\.local\/ns\/default\/sa\/default","proxied":true/)
  })
}

/** Asks again and again, over kept and over new connections; says how often it was answered, and whatever went wrong. */
const load = (url: string): readonly string[] => [process.execPath, '-e', `
const { Agent, get } = require('node:http')
let answered = 0
process.on('SIGTERM', () => { console.log('told after ' + answered); process.exit() })
const ask = (agent) => get('${url}', { agent }, (answer) => {
  if (answer.statusCode !== 200) console.log('FAILED ' + answer.statusCode)
  else if (++answered % 20 === 0) console.log('answered ' + answered)
  answer.resume().on('end', () => setTimeout(ask, 5, agent))
}).on('error', (error) => { console.log('FAILED ' + error.message); setTimeout(ask, 50, agent) })
ask(new Agent({ keepAlive: true }))
ask(new Agent({ keepAlive: false }))
`]

test('a newer proxy takes over under load of both directions, found by the tools of root who runs the agent; killed, it takes both along', { skip: netnsSkip, timeout: 90_000 }, async () => {
  await using mesh = await CapturedMesh.open()
  const [, ...own] = await mesh.proxyFlags()
  const here = { cwd: mesh.folder, env: { ...mesh.env, TMPDIR: mesh.folder }, as: mesh.workload.enter() }
  const agent = mesh.use(new TrysailProcess(['agent', 'run', ...own, '--capture', 'netfilter', '--', ...asProgram, ...load(`http://${places.IPv4.service}/`)], here))
  await agent.saying(/answered/)
  // Asked past the redirect: the application that stands for the program's own ports has been there all the time.
  await mesh.control!.saying(/~echo-1\.default~\S+ is sent no requests: it has not begun\n[^]*~echo-1\.default~\S+ takes requests/)
  const { code, output } = await trysail(['proxy-config', 'listeners', 'echo-1'], here)
  assert.equal(code, 0, output)
  assert.match(output, /15006/)

  const [program, ...args] = [...mesh.world.enter(), ...asProgram, ...load(`http://${places.IPv4.workload}:8080/`)]
  const peer = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let heard = ''
  peer.stdout.setEncoding('utf8').on('data', (text: string) => void (heard += text))
  await once(peer.stdout, 'data')
  agent.signal('SIGUSR2')
  await agent.saying(/a newer proxy has taken over/)
  const from = agent.output.length
  await agent.saying(/answered \d+\nanswered/, from)
  await once(peer.stdout, 'data')
  peer.kill('SIGTERM')
  await once(peer, 'exit')
  assert.doesNotMatch(agent.output + heard, /FAILED/)

  agent.signal('SIGKILL')
  assert.equal(await agent.exited, 'SIGKILL', 'its output is open for as long as proxy or program run')
  assert.match(agent.output, /told after/)
})
