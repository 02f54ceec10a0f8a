// `npm run compatibility`: writes docs/compatibility.md from the kinds' own tables. A test holds the file to them.
import { writeFileSync } from 'node:fs'
import { compatibility } from '../src/kinds/compatibility.ts'

writeFileSync(new URL('../docs/compatibility.md', import.meta.url), compatibility())
