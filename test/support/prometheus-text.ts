// A strict reader of the Prometheus text format 0.0.4: every line must be one, every sample must follow its TYPE.

export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export interface ReadMetrics {
  readonly types: ReadonlyMap<string, string>
  readonly samples: readonly Sample[]
}

const sampleLine = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*",?)*)\})? (-?[0-9.e+-]+|[+-]Inf|NaN)$/

export function readPrometheus(text: string): ReadMetrics {
  const types = new Map<string, string>()
  const samples: Sample[] = []
  if (text !== '' && !text.endsWith('\n')) throw new Error('the last line does not end')
  for (const line of text.split('\n').slice(0, -1)) {
    const type = /^# TYPE (\S+) (counter|gauge|histogram)$/.exec(line)
    if (type !== null) {
      if (types.has(type[1]!)) throw new Error(`a second TYPE of ${type[1]}`)
      types.set(type[1]!, type[2]!)
      continue
    }
    if (/^# HELP \S+ .+$/.test(line)) continue
    const match = sampleLine.exec(line)
    if (match === null) throw new Error(`not a sample: ${line}`)
    const family = match[1]!.replace(/_(bucket|sum|count)$/, (suffix) => (types.get(match[1]!.slice(0, -suffix.length)) === 'histogram' ? '' : suffix))
    if (!types.has(family)) throw new Error(`${family} has no TYPE`)
    samples.push({ name: match[1]!, labels: readLabels(match[2] ?? ''), value: Number(match[3]!.replace('Inf', 'Infinity')) })
  }
  return { types, samples }
}

function readLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {}
  for (const [, name, value] of text.matchAll(/([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"/g)) {
    labels[name!] = value!.replaceAll(/\\([\\"n])/g, (_, char: string) => (char === 'n' ? '\n' : char))
  }
  return labels
}
