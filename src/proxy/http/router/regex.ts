// RE2 expressions from configuration: linear time whatever the input. Each pattern is compiled once per process.
import { RE2JS } from 're2js'
import { badConfig } from './problem.ts'

/** Patterns come from accepted configuration, which repeats few of them; the bound is for a control plane gone wild. */
const maxCached = 4096
const cache = new Map<string, RE2JS>()

export function compileRegex(pattern: string): RE2JS {
  const known = cache.get(pattern)
  if (known !== undefined) return known
  if (pattern === '') throw badConfig('an empty regular expression')
  try {
    const compiled = RE2JS.compile(pattern)
    if (cache.size >= maxCached) cache.clear()
    cache.set(pattern, compiled)
    return compiled
  } catch (cause) {
    throw badConfig(`not an RE2 expression: ${pattern}`, cause)
  }
}

/** Tests the whole text, not a part of it. */
export function fullMatch(pattern: string): (text: string) => boolean {
  const regex = compileRegex(pattern)
  return (text) => regex.testExact(text)
}

/** Replaces every match; `\1` in the substitution is the first group and `\\` a backslash, as RE2 writes them. */
export function compileReplacement(pattern: string, substitution: string): (text: string) => string {
  const regex = compileRegex(pattern)
  const parts = parseSubstitution(substitution, regex.groupCount())
  return (text) => {
    const matcher = regex.matcher(text)
    let result = ''
    let from = 0
    while (matcher.find()) {
      result += text.slice(from, matcher.start())
      for (const part of parts) result += typeof part === 'string' ? part : (matcher.group(part) ?? '')
      from = matcher.end()
    }
    return result + text.slice(from)
  }
}

function parseSubstitution(text: string, groups: number): readonly (string | number)[] {
  const parts: (string | number)[] = []
  let literal = ''
  for (let i = 0; i < text.length; i++) {
    if (text[i] !== '\\') {
      literal += text[i]!
      continue
    }
    const next = text[++i]
    if (next === '\\') literal += next
    else if (next !== undefined && next >= '0' && next <= '9') {
      if (Number(next) > groups) throw badConfig(`the substitution ${text} names group ${next}, but there are ${groups}`)
      parts.push(literal, Number(next))
      literal = ''
    } else throw badConfig(`the substitution ${text} has a backslash before neither a digit nor a backslash`)
  }
  parts.push(literal)
  return parts.filter((part) => part !== '')
}
