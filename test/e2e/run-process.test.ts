// `trysail run` as the process that a person starts: how it says where things are, and how it ends, whoever ends it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { echo, gatewayTo, service } from '../support/local-mesh.ts'
import { Run, patienceMs } from '../support/run-process.ts'
import { TempFolder } from '../support/temp-folder.ts'

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

async function gone(pids: readonly number[]): Promise<void> {
  const end = Date.now() + patienceMs
  while (pids.some(isAlive)) {
    assert.ok(Date.now() < end, `still there: ${pids.filter(isAlive).join(', ')}`)
    await sleep(20)
  }
}

/** A program that starts another one, and neither ends when it is asked to. */
const stubborn = (name: string): string => echo(name).replace(/command: \[.*?\]/, `command: [sh, -c, 'trap "" TERM; sleep 1000 & echo inner $!; while :; do sleep 1; done']`)
  .replace('terminationGracePeriodSeconds: 5', 'terminationGracePeriodSeconds: 0.2').replace(/, ports: \[.*?\]/, '')

async function meshFolder(): Promise<TempFolder> {
  const folder = await TempFolder.create()
  await folder.write('mesh/all.yaml', echo('web') + service('web') + gatewayTo('web'))
  await folder.write('mesh/stubborn.yaml', stubborn('stubborn'))
  return folder
}

const running = (folder: TempFolder, ...more: readonly string[]): Run =>
  new Run('-f', folder.at('mesh'), '--state-dir', folder.at('state'), '--gateway-port', '80=0', ...more)

for (const [signal, code] of [['SIGTERM', 0], ['SIGINT', 0], ['SIGKILL', null]] as const) {
  test(`${signal} ends everything that run started, also what its programs started`, async () => {
    await using folder = await meshFolder()
    await using run = running(folder)
    const [, url] = await run.said(/up: 2 processes.*? on (http:\/\/127\.0\.0\.1:\d+)/)
    const web = (await (await fetch(url!)).json()) as { readonly name: string; readonly pid: number }
    assert.equal(web.name, 'web')
    const inner = Number((await run.said(/inner (\d+)/))[1])
    run.child.kill(signal)
    assert.equal((await run.ended)[0], code, run.lines.join('\n'))
    await gone([web.pid, inner])
    await assert.rejects(fetch(url!))
  })
}

test('a file that does not exist, a port that is none, standard input: one clear line each', async () => {
  for (const [args, exit, line] of [
    [['-f', '/no/such/folder'], 1, /\/no\/such\/folder/],
    [['-f', '.', '--gateway-port', '80=99999'], 64, /--gateway-port must be PORT=LOCAL such as 80=8080, not "80=99999"/],
    [['-f', '.', '--gateway-port', '80=9000', '--gateway-port', '81=9000'], 64, /--gateway-port: 80 and 81 cannot both be 9000/],
    [['-f', '-'], 64, /standard input/],
  ] as const) {
    await using folder = await TempFolder.create()
    const run = new Run(...args, '--state-dir', folder.at('state'))
    const timer = setTimeout(() => run.child.kill('SIGKILL'), patienceMs)
    assert.equal((await run.ended)[0], exit, run.lines.join('\n'))
    clearTimeout(timer)
    assert.match(run.lines.join('\n'), line)
  }
})

test('where the gateway is, is said as soon as it listens, also while a process never comes up', async () => {
  await using folder = await meshFolder()
  await folder.write('mesh/never.yaml', echo('never').replace(/command: \[.*?\]/, 'command: [no-such-program]'))
  await using run = running(folder)
  const [, url] = await run.said(/istio-ingressgateway.* port 80 is (http:\/\/127\.0\.0\.1:\d+)/)
  await run.said(/never .*cannot be started: no program "no-such-program"/)
  const end = Date.now() + patienceMs
  while ((await fetch(url!)).status !== 200) assert.ok(Date.now() < end, run.lines.join('\n'))
  run.child.kill('SIGINT')
  assert.equal(await Promise.race([run.ended.then(() => 'ended'), sleep(10_000, 'still there')]), 'ended')
})
