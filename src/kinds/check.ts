// The engine that all kinds share: shape, metadata, rules, and what is not served yet. Raw object in; a frozen resource,
// or issues with their places, out.
import { z } from 'zod'
import type { FieldPath, Issue, ObjectMeta, Origin, Resource, Severity } from '../model/resource.ts'
import { annotationFindings } from './core/proxy-config.ts'
import { isLabel } from './fields/host.ts'
import type { Finding, Frozen, Kind } from './kind.ts'
import { metadata, objectMeta } from './metadata.ts'
import { compileNotServed, compileRows } from './not-served.ts'
import type { NotServedCheck } from './not-served.ts'
import { withoutNulls } from './nulls.ts'
import { shape } from './shape.ts'

export type Locate = (path: FieldPath) => Origin

export interface Checked {
  /** Undefined when there is an error. */
  readonly resource: Resource | undefined
  readonly issues: readonly Issue[]
}

interface Compiled {
  readonly kind: Kind
  /** The whole object: what stands at its top level, and the schema of its body. */
  readonly schema: z.ZodType<Record<string, unknown>>
  readonly notServed: NotServedCheck
  readonly neverServed: Readonly<Record<Severity, NotServedCheck>>
}

export type CheckObject = (raw: unknown, locate: Locate) => Checked

/** Compiles a kind once; the result checks one object. */
export function compileKind(kind: Kind): CheckObject {
  const never = (severity: Severity) => compileRows((kind.neverServed ?? []).filter((row) => row.severity === severity), ({ message }) => message)
  const compiled: Compiled = {
    kind, schema: wholeSchema(kind), notServed: compileNotServed(kind.notServed), neverServed: { error: never('error'), warning: never('warning') },
  }
  return (raw, locate) => check(compiled, raw, locate)
}

/** For `object` bodies the schema is an object of its own, to which the common fields are added. */
export function wholeSchema(kind: Kind): z.ZodType<Record<string, unknown>> {
  const common = { apiVersion: z.string(), kind: z.string(), metadata }
  if (kind.body === 'object' && kind.schema instanceof z.ZodObject) {
    return kind.schema.extend(common) as z.ZodType<Record<string, unknown>>
  }
  return z.strictObject({ ...common, spec: kind.schema, status: z.unknown().optional() })
}

function check({ kind, schema, notServed, neverServed }: Compiled, raw: unknown, locate: Locate): Checked {
  const issues: Issue[] = []
  const report = (severity: Severity, prefix: FieldPath, findings: Iterable<Finding>): void => {
    for (const [at, message] of findings) {
      const path = [...prefix, ...at]
      issues.push({ severity, message, path, origin: locate(path) })
    }
  }
  const { value: written, nulls } = withoutNulls(schema, raw)
  const shaped = shape(schema, written, raw)
  report('error', [], shaped.findings)
  const bodyAt: FieldPath = kind.body === 'spec' ? ['spec'] : []
  if (kind.body === 'spec') report('warning', [], nulls.filter(([first]) => first === 'spec').map((path): Finding => [path, 'is empty: it counts as not written']))
  const body: unknown = kind.body === 'spec' ? (written as { spec?: unknown } | null)?.spec : written
  report('warning', bodyAt, notServed(body))
  for (const severity of ['error', 'warning'] as const) report(severity, bodyAt, neverServed[severity](body))
  if (shaped.value === undefined) return { resource: undefined, issues }
  const { apiVersion, kind: name, metadata: meta, ...rest } = shaped.value
  const objectMetadata = objectMeta(meta as z.infer<typeof metadata>, kind.scope)
  const spec = deepFreeze(kind.body === 'spec' ? rest['spec'] : rest)
  for (const rule of kind.rules) report(rule.severity, bodyAt, rule.check(spec as Frozen<unknown>, objectMetadata))
  report('error', [], [...reservedAnnotations(kind, objectMetadata), ...unfitName(kind, objectMetadata)])
  report('warning', [], ownAnnotations(kind, objectMetadata))
  if (hasProxy.has(kind.kind)) report('warning', [], annotationFindings(objectMetadata.annotations, ['metadata', 'annotations']))
  if (issues.some((issue) => issue.severity === 'error')) return { resource: undefined, issues }
  const resource: Resource = {
    apiVersion: String(apiVersion), kind: String(name), metadata: deepFreeze(objectMetadata), spec, origin: locate([]), locate,
    ...(kind.body === 'spec' && rest['status'] !== undefined ? { status: deepFreeze(rest['status']) } : {}),
  }
  return { resource: Object.freeze(resource), issues }
}

/** Kinds whose annotations say something of their proxy. */
const hasProxy: ReadonlySet<string> = new Set(['Pod', 'Process', 'WorkloadEntry'])

/** Istio writes these itself, on objects that it generates; from users it refuses them. */
const reserved = ['parents', 'route-semantics', 'gateway-semantics', 'service-account-name', 'webhook-always-reject'].map((name) => `internal.istio.io/${name}`)

const dryRunAnnotation = 'istio.io/dry-run'

function* reservedAnnotations(kind: Kind, { annotations }: ObjectMeta): Iterable<Finding> {
  if (!kind.group.endsWith('istio.io')) return
  for (const name of reserved) {
    if (Object.hasOwn(annotations, name)) yield [['metadata', 'annotations', name], `${name} is reserved for generated objects`]
  }
  const dryRun = annotations[dryRunAnnotation]
  const dryRunAt = ['metadata', 'annotations', dryRunAnnotation]
  if (dryRun === undefined) return
  if (kind.kind !== 'AuthorizationPolicy') yield [dryRunAt, `${dryRunAnnotation} is for AuthorizationPolicy only`]
  else if (dryRun !== 'true' && dryRun !== 'false') yield [dryRunAt, `must be "true" or "false", not ${JSON.stringify(dryRun)}`]
}

/** Annotations of this mesh: what of them has no effect where it stands. */
function* ownAnnotations({ kind }: Kind, { annotations }: ObjectMeta): Iterable<Finding> {
  for (const [name, value] of Object.entries(annotations)) {
    if (!name.startsWith('trysail.dev/')) continue
    const at = ['metadata', 'annotations', name]
    if (name !== stickyWeights) yield [at, `${name} is no annotation of this mesh; there is ${stickyWeights}, for VirtualServices`]
    else if (kind !== 'VirtualService') yield [at, `${name} has no effect at a ${kind}: write it at the VirtualService that has the weights`]
    else if (value !== 'true' && value !== 'false') yield [at, `must be "true" or "false", not ${JSON.stringify(value)}: it counts as "false"`]
  }
}

const stickyWeights = 'trysail.dev/sticky-weights'

function* unfitName({ kind, namedByLabel }: Kind, { name }: ObjectMeta): Iterable<Finding> {
  if (namedByLabel === true && !isLabel(name)) {
    yield [['metadata', 'name'], `a ${kind} is named by a DNS label (letters, digits and '-', at most 63), not ${JSON.stringify(name)}`]
  }
}

function deepFreeze<Value>(value: Value): Value {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  Object.freeze(value)
  for (const inner of Object.values(value)) deepFreeze(inner)
  return value
}
