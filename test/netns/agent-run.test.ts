// `trysail agent run` where the kernel captures: proxy and program are told apart by their users, whoever started them both.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CapturedMesh } from '../support/captured-mesh.ts'
import { netnsSkip, places } from '../support/capture-world.ts'
import { trysail } from '../support/trysail-process.ts'

const program = ['setpriv', '--reuid=1000', '--regid=1000', '--clear-groups', 'sh', '-c', `id -u; curl -sS -m 20 http://${places.IPv4.service}/ && exit 7`]

for (const mode of ['REDIRECT', 'TPROXY'] as const) {
  test(`with ${mode} a job that root starts is captured, its proxy is not, and its exit code is passed on`, { skip: netnsSkip, timeout: 90_000 }, async () => {
    await using mesh = await CapturedMesh.open({ mode })
    const [, ...flags] = await mesh.proxyFlags()
    const { code, output } = await trysail(
      ['agent', 'run', ...flags, '--capture', 'netfilter', '--interception-mode', mode, '--', ...program],
      { cwd: mesh.folder, env: { ...mesh.env, TMPDIR: mesh.folder }, as: mesh.workload.enter() },
    )
    assert.equal(code, 7, output)
    assert.match(output, /"identity":"spiffe:\/\/cluster\.local\/ns\/default\/sa\/default","proxied":true/)
  })
}
