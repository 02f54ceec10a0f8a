// node:http without what an `import` of it brings along: a module's names are all looked up then, one of them is a getter that
// loads undici, and that takes 7 MB (docs/performance.md).

export const { createServer, request } = process.getBuiltinModule('node:http')
