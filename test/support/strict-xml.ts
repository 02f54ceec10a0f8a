// A strict reader of XML documents for tests: elements, attributes and text, and nothing that is not well-formed XML 1.0.
import assert from 'node:assert/strict'

export interface XmlElement {
  readonly name: string
  readonly attributes: Readonly<Record<string, string>>
  readonly children: readonly XmlElement[]
  readonly text: string
}

const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

export function parseXml(text: string): XmlElement {
  assert.match(text, /^[\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]*$/u, 'only characters of XML 1.0')
  const declaration = /^<\?xml version="1\.0" encoding="UTF-8"\?>\s*/.exec(text)
  assert.ok(declaration, 'begins with a declaration')
  const { element, end } = elementAt(text, declaration[0].length)
  assert.equal(text.slice(end).trim(), '', 'nothing follows the root')
  return element
}

function elementAt(text: string, from: number): { element: XmlElement; end: number } {
  const open = /<([A-Za-z_][\w.-]*)((?:\s+[A-Za-z_][\w.-]*="[^"<]*")*)\s*(\/?)>/y
  open.lastIndex = from
  const found = open.exec(text)
  assert.ok(found, `an element at ${text.slice(from, from + 80)}`)
  const [, name = '', attributes = '', closed] = found
  const element = { name, attributes: attributesIn(attributes), children: [] as XmlElement[], text: '' }
  let at = open.lastIndex
  while (closed !== '/') {
    const next = text.indexOf('<', at)
    assert.notEqual(next, -1, `${name} is closed`)
    element.text += unescaped(text.slice(at, next))
    if (text.startsWith('</', next)) {
      const close = `</${name}>`
      assert.equal(text.slice(next, next + close.length), close)
      at = next + close.length
      break
    }
    const child = elementAt(text, next)
    element.children.push(child.element)
    at = child.end
  }
  return { element, end: at }
}

function attributesIn(text: string): Record<string, string> {
  const found: Record<string, string> = {}
  for (const [, name = '', value = ''] of text.matchAll(/([\w.-]+)="([^"]*)"/g)) {
    assert.equal(Object.hasOwn(found, name), false, `${name} is there twice`)
    // A parser makes spaces of bare white space in attributes.
    found[name] = unescaped(value.replaceAll(/[\t\n\r]/g, ' '))
  }
  return found
}

function unescaped(text: string): string {
  assert.equal(text.includes(']]>'), false, ']]> must be escaped')
  const left = text.replaceAll(/&(?:#(\d+)|(\w+));/g, '')
  assert.equal(left.includes('&'), false, `a bare & in ${text}`)
  return text.replaceAll(/&(?:#(\d+)|(\w+));/g, (_, code: string | undefined, name: string | undefined) => {
    if (code !== undefined) return String.fromCodePoint(Number(code))
    assert.ok(entities[name ?? ''] !== undefined, `the entity ${name}`)
    return entities[name ?? '']!
  })
}
