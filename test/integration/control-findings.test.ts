import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { startControl } from '../../src/control/main.ts'
import { controlSettings } from '../../src/control/settings.ts'
import { watchFiles } from '../../src/sources/files/watch.ts'

const service = (port: string): string => `apiVersion: v1\nkind: Service\nmetadata: { name: web }\nspec: { ports: [{ name: http, ${port}: 80 }] }\n`

test('of two resources with one name the first one stands, and nothing is said of an earlier version', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'findings-'))
  const file = join(folder, 'web.yaml')
  const lines: string[] = []
  const rule = 'apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: { name: web }\nspec: { hosts: [web], http: [{ directResponse: { status: 200 } }] }\n'
  writeFileSync(file, `${rule}---\n${rule}`)
  try {
    await using control = await startControl(controlSettings({ stateDir: join(folder, 'state'), xdsPort: 0, plaintextPort: 0, debugPort: 0 }), {
      sources: [watchFiles([file])], log: (_level, line) => void lines.push(line),
    })
    const [web] = control.state.board.resources
    assert.deepEqual([web?.state, web?.earlier], ['held', false])
    assert.deepEqual(lines.filter((line) => line.includes('VirtualService web')).length, 1, lines.join('\n'))
    assert.deepEqual(lines.filter((line) => line.includes('last good version')), [])
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

test('a mistake is said once while it stands, and again when it comes back', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'findings-'))
  const file = join(folder, 'web.yaml')
  const lines: string[] = []
  writeFileSync(file, service('prot'))
  const mistakes = (): number => lines.filter((line) => line.includes('spec.ports[0].port: is required')).length
  try {
    await using control = await startControl(controlSettings({ stateDir: join(folder, 'state'), xdsPort: 0, plaintextPort: 0, debugPort: 0 }), {
      sources: [watchFiles([file])], log: (_level, line) => void lines.push(line),
    })
    const pushed = async (text: string, after: number): Promise<number> => {
      writeFileSync(file, text)
      await control.state.board.waitFor(after + 1, 10_000)
      return control.state.board.generation
    }
    assert.equal(mistakes(), 1, lines.join('\n'))
    const mended = await pushed(service('port'), control.state.board.generation)
    await pushed(`${service('prot')}---\n${service('port').replace('name: web', 'name: other')}`, mended)
    assert.equal(mistakes(), 2, lines.join('\n'))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
