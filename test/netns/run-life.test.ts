// `run --capture netns` over time: Processes come and go by edits, programs and proxies break, `run` itself is killed or
// cannot even begin. Whatever happened, nothing of it is left in this machine; and all of it works without root.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { describe, test } from 'node:test'
import { netnsSkip } from '../support/capture-world.ts'
import { leavesNothing } from '../support/leaves-nothing.ts'
import { echo, gatewayTo, service, startLocalMesh } from '../support/local-mesh.ts'
import { inside, leftSince, machine, networkOf, networksOf } from '../support/netns-mesh.ts'
import { TempFolder } from '../support/temp-folder.ts'
import { TrysailProcess } from '../support/trysail-process.ts'
import { until } from '../support/until.ts'

leavesNothing()

const patienceMs = 60_000

const isAlive = (pid: number): boolean => existsSync(`/proc/${pid}`) && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))

/** The proxy of a workload: the one in its network that is not its program. */
function proxyBeside(pid: number): number {
  const found = readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number)
    .find((one) => networkOf(one) === networkOf(pid) && readFileSync(`/proc/${one}/cmdline`, 'utf8').includes('--supervised'))
  assert.ok(found !== undefined, 'it has a proxy')
  return found
}

describe('a mesh in networks of its own, over time', { skip: netnsSkip }, () => {
  test('Processes come and go, break and are started again, each in its place; nothing is left', async () => {
    const asItWas = machine()
    let own: readonly string[] = []
    {
      const bare = echo('bare', { spec: 'proxyType: none' }) + service('bare')
      await using mesh = await startLocalMesh({ 'web.yaml': echo('web') + service('web') + gatewayTo('web'), 'bare.yaml': bare }, { capture: 'netns', watch: true })
      own = networksOf([process.pid])
      const first = mesh.pidOf('web')
      assert.equal((await mesh.get('/')).status, 200)

      // Added while it runs.
      await mesh.folder.write('mesh/more.yaml', echo('more') + service('more'))
      await mesh.until('it is ready', () => mesh.mesh.processes.some(({ name, state }) => name === 'more' && state === 'ready'))
      await mesh.until('it is reached', async () => (await inside(mesh, 'web', ['curl', '-sS', '-m', '5', 'http://more/'])).out.includes('"more"'))
      assert.match((await inside(mesh, 'web', ['curl', '-sS', '-m', '5', 'http://bare/'])).out, /"bare"/, 'one without a proxy')
      own = [...own, ...networksOf([process.pid])]

      // Its program ends: the next one is in the same network.
      const network = networkOf(first)
      process.kill(first, 'SIGKILL')
      await mesh.until('another one serves', () => mesh.mesh.processes.some(({ name, state, pid }) => name === 'web' && state === 'ready' && pid !== first))
      assert.equal(networkOf(mesh.pidOf('web')), network)

      // Its proxy ends: meanwhile nothing goes past it, then the next one serves.
      process.kill(proxyBeside(mesh.pidOf('web')), 'SIGKILL')
      await mesh.untilSaid(/web: its proxy was ended by SIGKILL/)
      await mesh.until('it answers again', async () => (await mesh.get('/')).status === 200)

      // Taken out of the files, with what it left behind.
      const gone = mesh.pidOf('more')
      const stray = (await inside(mesh, 'more', ['sh', '-c', 'setsid sleep 3600 >/dev/null 2>&1 & echo $!'])).out
      await mesh.folder.remove('mesh/more.yaml')
      await mesh.until('it has ended', () => !isAlive(gone) && !mesh.mesh.processes.some(({ name }) => name === 'more'))
      await until(() => !isAlive(Number(stray)), 'what left its process group has ended too')

      await mesh.folder.write('mesh/elsewhere.yaml', 'apiVersion: trysail.dev/v1\nkind: Process\nmetadata: { name: elsewhere }\nspec: { ports: [{ containerPort: 9 }] }\n')
      await mesh.untilSaid(/elsewhere: cannot be started \(.*elsewhere\.yaml:1\): Process default\/elsewhere .* has no command: .* use --capture env/)
    }
    assert.deepEqual(leftSince(asItWas, own), [])
  })

  test('when run is killed, nothing of it is left', async () => {
    const asItWas = machine()
    await using folder = await TempFolder.create()
    await folder.write('mesh/all.yaml', `${echo('web')}${service('web')}`)
    await using run = new TrysailProcess(['run', '-f', 'mesh', '--capture', 'netns', '--state-dir', 'state'], { cwd: folder.path })
    await run.saying(/up: 1 processes/, 0, patienceMs)
    const own = networksOf([run.pid])
    assert.ok(own.length >= 2, 'the workload has a network, and the switch')
    run.signal('SIGKILL')
    await until(() => leftSince(asItWas, own).length === 0, 'everything has ended')
  })

  test('a machine that lacks what it takes is told in one line what, and what to do instead', async (context) => {
    if (spawnSync('unshare', ['--user', '--map-root-user', '--', 'true']).status !== 0) return context.skip('skipped: no user namespaces here')
    await using folder = await TempFolder.create()
    await folder.write('mesh/all.yaml', echo('web'))
    await folder.write('bin/.keep', '')
    const trysail = new URL('../../bin/trysail.js', import.meta.url).pathname
    // A user for whom neither root nor user namespaces are to be had.
    const asked = spawnSync('unshare', ['--user', '--map-root-user', '--', 'sh', '-c', `echo 0 > /proc/sys/user/max_user_namespaces; echo 0 > /proc/sys/user/max_net_namespaces; exec ${process.execPath} ${trysail} run -f mesh --capture netns --state-dir state`], { cwd: folder.path, encoding: 'utf8', timeout: 60_000 })
    assert.match(asked.stderr, /^trysail run: .*use --capture env$/m)
    assert.equal(asked.stderr.trim().split('\n').length, 1, asked.stderr)
    assert.equal(asked.status, 1)
  })

  test('without root, a mesh in a user namespace works alike, and leaves as little', async (context) => {
    const asUser = ['--reuid=65534', '--regid=65534', '--clear-groups', '--']
    if (spawnSync('setpriv', [...asUser, 'unshare', '-Urn', 'true']).status !== 0) return context.skip('skipped: no user namespaces without root here')
    if (spawnSync('setpriv', [...asUser, process.execPath, '--version']).status !== 0) return context.skip('skipped: another user may not start this node')
    const asItWas = machine()
    await using folder = await TempFolder.create()
    await folder.write('mesh/all.yaml', `${echo('web', { spec: 'serviceAccount: asker' })}${service('web')}${gatewayTo('web')}`)
    spawnSync('chown', ['-R', '65534:65534', folder.path])
    await using run = new TrysailProcess(['run', '-f', 'mesh', '--capture', 'netns', '--state-dir', 'state', '--gateway-port', '80=0'], {
      cwd: folder.path, as: ['setpriv', ...asUser], env: { HOME: folder.path, XDG_RUNTIME_DIR: folder.path, TMPDIR: folder.path },
    })
    const [, at] = await run.saying(/up: 1 processes, .*istio-ingressgateway on (http:\/\/[\d.:]+)/, 0, patienceMs)
    const own = networksOf([run.pid])
    const answer = spawnSync('curl', ['-sS', '-m', '10', `${at}/via?service=WEB&path=/x`], { encoding: 'utf8' })
    assert.match(answer.stdout, /URI=spiffe:\/\/cluster\.local\/ns\/default\/sa\/asker/, `${answer.stderr}${run.output}`)
    run.signal('SIGTERM')
    await run.exited
    await until(() => leftSince(asItWas, own).length === 0, 'everything has ended')
  })
})
