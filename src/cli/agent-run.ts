// `trysail agent run`: a workload as a Pod would run it. Its proxy first, then the program, and one end for both.
import { proxyId } from '../agent/capture/capture-settings.ts'
import { ProxyKeeper } from '../agent/life/proxy-keeper.ts'
import type { LifeProxy } from '../agent/life/proxy-keeper.ts'
import { runLife } from '../agent/life/life.ts'
import { startProgram } from '../agent/life/program.ts'
import type { LifeProgram } from '../agent/life/program.ts'
import { createBackoff } from '../lib/backoff.ts'
import { systemClock } from '../lib/clock.ts'
import { spawn } from '../lib/errors.ts'
import { duration, integer, onOff } from '../lib/settings.ts'
import { startProxyProcess } from './agent-proxy-process.ts'
import type { Command, Invocation, Option } from './command.ts'
import { announce } from './running.ts'
import { startGuard } from './run/guard.ts'
import type { Guard } from './run/guard.ts'
import { command as proxyCommand, proxySettingsOf, startVariables } from './proxy.ts'
import { asUser } from './proxy/user.ts'
import { serviceLog } from './service-log.ts'
import { settingsOf, settingsOptions } from './settings-options.ts'
import { UsageError } from './usage-error.ts'

const envPrefix = 'TRYSAIL_AGENT_'

const table = {
  holdApplicationUntilProxyStarts: onOff(true, 'The program starts once its proxy has certificate, configuration and a passed probe of its own; false: at once.'),
  programGrace: duration('30s', 'How long the program may take to end once it is told to; then it is killed.'),
  proxyUser: integer(proxyId, "With --capture netfilter: user and group as whom the proxy runs, so that the rules tell it from the program; takes root. 0: as this one, which takes --proxy-mark."),
}

/** Those of the proxy that only make sense without an agent. */
const notHere: ReadonlySet<string> = new Set(['supervised', 'takeover'])
const proxyOptions: readonly Option[] = proxyCommand.options.filter(({ name }) => !notHere.has(name))

/** For the program: those that make the agent itself do something are not among them. */
const forwarded = ['SIGHUP', 'SIGUSR1', 'SIGQUIT', 'SIGWINCH', 'SIGCONT'] as const satisfies readonly NodeJS.Signals[]

/** Of a proxy that breaks again and again. */
const restart = { firstMs: 100, maxMs: 30_000, random: Math.random }

export const command: Command = {
  summary: 'Runs a program beside its proxy: the proxy first, and one end for both.',
  about: `The program starts once its proxy serves. When it ends, the proxy ends, and its exit code is this one's (128 and the number of a
signal). SIGTERM and Ctrl-C withdraw the endpoint, let those who are being served finish within --termination-drain-duration, and only
then tell the program, which may ask others to its last. SIGUSR2 replaces the proxy by a newer one without a failed request. Other
signals go to the program.`,
  operands: [{ name: 'PROGRAM', required: true, sentence: 'What runs, after --; looked for in PATH.' }, { name: 'ARGS', repeats: true, sentence: 'Its arguments.' }],
  options: [...settingsOptions(table, envPrefix), ...proxyOptions],
  examples: ['trysail agent run --name reviews-v1 --ip 127.0.0.2 --labels app=reviews,version=v1 --root-ca-file roots.pem --token-file token --inbound 127.0.0.2:9080=127.0.0.1:8080 -- node reviews.js'],
  async run(invocation, io) {
    const env = { ...startVariables(invocation), ...process.env }
    const settings = settingsOf(table, { envPrefix, env }, onlyOwn(invocation))
    const log = serviceLog(io, 'info')
    const say = (line: string): void => log('info', line)
    const args = proxyArguments(invocation)
    const as = userOf(settings.proxyUser, invocation)
    const guard = startGuard(settings.programGrace)
    const announcement = announce()
    const start = (takesOver: boolean): LifeProxy => startProxyProcess({
      args, as, takesOver, onAnnounced: (proxies) => announcement.update({ proxies }),
      onPid(pid, ended) {
        guard.addNoticing(pid)
        spawn('a proxy that is guarded', ended.then(() => guard.remove(pid)))
      },
    })
    const proxy = new ProxyKeeper({ start, backoff: createBackoff(restart), clock: systemClock, log: say })
    const upgrade = (): void => spawn('a newer proxy', proxy.upgrade())
    process.on('SIGUSR2', upgrade)
    let stopForwarding = (): void => {}
    try {
      return await runLife({
        proxy, holds: settings.holdApplicationUntilProxyStarts, graceMs: settings.programGrace, clock: systemClock, stop: io.stop, log: say,
        startProgram() {
          const program = startProgram(invocation.operands, process.env)
          guardProgram(guard, program)
          stopForwarding = forwardSignals(program)
          return program
        },
      })
    } finally {
      stopForwarding()
      process.off('SIGUSR2', upgrade)
      announcement.remove()
      guard.close()
    }
  },
}

function guardProgram(guard: Guard, { pid, ended }: LifeProgram): void {
  if (pid === undefined) return
  guard.add(pid)
  spawn('a program that is guarded', ended.then(() => guard.remove(pid)))
}

/** Mistakes in the proxy's options are the proxy's to report: it ends with the exit code of wrong usage, and so do we. */
function onlyOwn(invocation: Invocation): Invocation {
  if (invocation.operands[0] === '') throw new UsageError(['PROGRAM is empty: what is to run comes after --'])
  return { ...invocation, text: (name) => (name === 'config' ? undefined : invocation.text(name)) }
}

/** Where the kernel captures, proxy and program have to be told apart; a mark does so too. */
function userOf(proxyUser: number, invocation: Invocation): readonly string[] {
  const { capture, proxyMark } = proxySettingsOf(invocation)
  if (capture !== 'netfilter' || proxyMark !== 0) return []
  if (proxyUser === 0) throw new UsageError(['--proxy-user 0 takes --proxy-mark: else nothing tells the proxy from the program'])
  if (process.geteuid?.() !== 0) throw new UsageError([`--capture netfilter takes root: the proxy becomes user ${proxyUser}, the program stays who runs this`])
  return asUser(proxyUser)
}

function proxyArguments(invocation: Invocation): readonly string[] {
  return proxyOptions.filter(({ name }) => invocation.flag(name)).flatMap(({ name, value }) => (value === undefined ? [`--${name}`] : invocation.list(name).map((one) => `--${name}=${one}`)))
}

function forwardSignals(program: LifeProgram): () => void {
  const listeners = forwarded.map((signal) => [signal, () => program.signal(signal)] as const)
  for (const [signal, listener] of listeners) process.on(signal, listener)
  return () => {
    for (const [signal, listener] of listeners) process.off(signal, listener)
  }
}
