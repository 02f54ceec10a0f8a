// `trysail control`: the control plane as a process of its own, until it is told to end.
import { join } from 'node:path'
import { startControl } from '../control/main.ts'
import type { ControlPlane } from '../control/main.ts'
import { controlEnvPrefix, controlSettingsTable } from '../control/settings.ts'
import { formatAddress } from '../model/address.ts'
import { filesOnce } from '../sources/files/read.ts'
import { watchFiles } from '../sources/files/watch.ts'
import type { Source } from '../sources/source.ts'
import { openAudit } from './audit.ts'
import { exitCode } from './command.ts'
import type { Command, Invocation, Io } from './command.ts'
import { fileOperand, fileOption } from './file-option.ts'
import { announce } from './running.ts'
import { serviceLog } from './service-log.ts'
import { configOption, settingsOf, settingsOptions } from './settings-options.ts'
import { untilStopped } from './until-stopped.ts'
import { UsageError } from './usage-error.ts'

export const command: Command = {
  summary: 'Runs the control plane alone: proxies on this machine and others join it.',
  about: `Reads the files, follows them, and serves xDS and the CA. Proxies that join over TLS need its roots and, until they have a
certificate, a token: 'trysail control roots' and 'trysail control token' print them. SIGTERM and Ctrl-C end it, SIGUSR1 opens the audit log anew.`,
  operands: [fileOperand],
  options: [
    { ...fileOption, required: false },
    { name: 'watch', short: 'w', sentence: 'Follows what happens to the files. It does so anyway.' },
    { name: 'no-watch', sentence: 'Reads the files once.' },
    configOption,
    ...settingsOptions(controlSettingsTable, controlEnvPrefix),
  ],
  examples: ['trysail control -f mesh/', 'trysail control -f mesh/ --address 0.0.0.0 --state-dir /var/lib/trysail --certificate-lifetime 1h'],
  async run(invocation, io) {
    const settings = settingsOf(controlSettingsTable, { envPrefix: controlEnvPrefix, env: process.env }, invocation)
    const log = serviceLog(io, settings.logLevel)
    const audit = openAudit(settings.auditLog === '' ? join(settings.stateDir, 'audit.log') : settings.auditLog, (line) => log('error', line))
    const control = await startControl(settings, {
      sources: [await filesOf(invocation, io)], log, ...(audit === undefined ? {} : { audit: audit.writer('control'), auditCounts: () => audit.stats }),
    })
    const announcement = announce()
    try {
      announcement.update({ debug: control.debug, proxies: [] })
      io.stdout(whereIs(control))
      await untilStopped(io.stop)
      log('info', 'ends: open streams are closed, proxies go on with what they have')
    } finally {
      announcement.remove()
      await control.close()
      await audit?.close()
    }
    return exitCode.fine
  },
}

async function filesOf(invocation: Invocation, io: Io): Promise<Source> {
  const paths = [...invocation.list('file'), ...invocation.operands]
  if (paths.length === 0) throw new UsageError(['-f, --file FILE is needed: what the mesh is made of'])
  if (invocation.flag('watch') && invocation.flag('no-watch')) throw new UsageError(['--watch and --no-watch exclude each other'])
  const input = paths.includes('-') ? { stdin: await io.stdin() } : {}
  return invocation.flag('no-watch') ? filesOnce(paths, input) : watchFiles(paths, input)
}

function whereIs({ xds, plaintext, debug, trustDomain }: ControlPlane): string {
  return `control plane of ${trustDomain}:
  xDS and CA over mutual TLS  ${formatAddress(xds)}
  xDS and CA, plaintext       ${formatAddress(plaintext)}
  debug pages                 http://${formatAddress(debug)}
`
}
