// Programs whose first call comes the moment they start, while the control plane is late: none of them fails.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { test } from 'node:test'
import { startProgram } from '../../src/agent/life/program.ts'
import { ProcessMesh, startApp } from '../support/process-mesh.ts'
import { TrysailProcess } from '../support/trysail-process.ts'
import { runWorkload } from '../support/workload-life.ts'

const here = 196
/** As processes of their own, all of the command line with them. */
const asProcesses = 4
const lateMs = 3_000

test(`${here + asProcesses} programs start with their proxies while the control plane is ${lateMs / 1000} s late: the first call of each succeeds`, { timeout: 120_000 }, async () => {
  await using app = await startApp()
  await using mesh = await ProcessMesh.create()
  const control = await mesh.startControl()
  await (await mesh.startReviews(app.at)).saying(/serves/)
  control.signal('SIGTERM')
  await control.exited

  const rootsFile = await mesh.rootsFile()
  const roots = readFileSync(rootsFile, 'utf8')
  const token = await mesh.token('productpage', 120_000)

  const exits = Array.from({ length: here }, async (_, i) => {
    const at = `${mesh.net}.3:${9_100 + i}`
    const { exited } = runWorkload({
      name: `client-${i}`, roots, outbound: [`${at}=reviews:9080`],
      settings: { serviceAccount: 'productpage', ip: `${mesh.net}.${100 + (i % 100)}`, token, discoveryAddress: mesh.addresses.xds, terminationDrainDuration: 200 },
    }, () => startProgram(['curl', '-fsS', '--max-time', '20', '-o', '/dev/null', `http://${at}/`], process.env))
    return await exited
  })
  const tokenFile = mesh.file('token', token)
  const processes = await Promise.all(Array.from({ length: asProcesses }, async (_, i) => {
    const at = `${mesh.net}.3:${9_000 + i}`
    return mesh.use(new TrysailProcess([
      'agent', 'run', '--name', `process-${i}`, '--service-account', 'productpage', '--ip', `${mesh.net}.${50 + i}`, '--admin-port', '0', '--root-ca-file', rootsFile, '--token-file', tokenFile,
      '--discovery-address', mesh.addresses.xds, '--outbound', `${at}=reviews:9080`, '--', 'curl', '-fsS', '--max-time', '20', `http://${at}/`,
    ], mesh.options))
  }))
  await pause(lateMs)
  await mesh.startControl()
  const codes = [...await Promise.all(exits), ...await Promise.all(processes.map(({ exited }) => exited))]
  assert.deepEqual([codes.length, codes.filter((code) => code !== 0)], [here + asProcesses, []])
  assert.deepEqual([...app.callers], ['spiffe://cluster.local/ns/default/sa/productpage'])
})
