// Kubernetes' ConfigMap, of which the mesh reads one: `istio`, whose key `mesh` holds MeshConfig as YAML text.
import { z } from 'zod'
import { formatPath } from '../../model/resource.ts'
import type { Severity } from '../../model/resource.ts'
import { readDocuments } from '../document.ts'
import type { Finding, Frozen, Kind, Rule } from '../kind.ts'
import { compileNotServed } from '../not-served.ts'
import { withoutNulls } from '../nulls.ts'
import { shape } from '../shape.ts'
import { meshConfigNotServed, meshConfigSchema } from './mesh-config.ts'
import type { MeshConfigSpec } from './mesh-config.ts'

const schema = z.strictObject({
  data: z.record(z.string(), z.string()).nullish().transform((map) => map ?? {}),
  binaryData: z.unknown().optional(),
  immutable: z.boolean().optional(),
})

export type ConfigMap = z.infer<typeof schema>
export type ConfigMapSpec = Frozen<ConfigMap>

/** `istio`, or `istio-<revision>`. */
export const isMeshConfigMap = (name: string): boolean => name === 'istio' || /^istio-[a-z0-9-]+$/.test(name)

/** The settings, defaults filled in; undefined when the text has errors, which the kind's rules report. */
export function meshConfigOf(spec: ConfigMapSpec): MeshConfigSpec | undefined {
  return shape(meshConfigSchema, rawMeshConfig(spec).value).value
}

function rawMeshConfig(spec: ConfigMapSpec) {
  const { objects, issues } = readDocuments(spec.data['mesh'] ?? '', 'mesh')
  const written = objects[0]?.value ?? {}
  return { value: withoutNulls(meshConfigSchema, written).value, written, locate: objects[0]?.locate, issues }
}

const notServed = compileNotServed(meshConfigNotServed)

function* findingsOf(spec: ConfigMapSpec, severity: Severity): Iterable<Finding> {
  const raw = rawMeshConfig(spec)
  const broken: Finding[] = raw.issues.map((issue) => [[], `line ${issue.origin.line}: ${issue.message}`])
  const inside = severity === 'error' ? shape(meshConfigSchema, raw.value, raw.written).findings : notServed(raw.value)
  const placed = inside.map(([path, message]): Finding => {
    const line = raw.locate?.(path).line ?? 1
    return [path, `line ${line}: ${path.length === 0 ? '' : `${formatPath(path)}: `}${message}`]
  })
  for (const [path, message] of [...(severity === 'error' ? broken : []), ...placed]) yield [['data', 'mesh', ...path], message]
}

const meshRule = (severity: Severity): Rule<ConfigMap> => ({
  severity,
  *check(spec, metadata) {
    if (isMeshConfigMap(metadata.name) && spec.data['mesh'] !== undefined) yield* findingsOf(spec, severity)
  },
})

export const configMap: Kind<ConfigMap> = {
  kind: 'ConfigMap',
  group: '',
  versions: ['v1'],
  scope: 'Namespaced',
  body: 'object',
  schema,
  rules: [meshRule('error'), meshRule('warning')],
  notServed: [],
}
