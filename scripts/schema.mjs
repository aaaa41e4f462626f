// Writes docs/machine.schema.json: what the file of a machine's settings may hold, as the code says it.
import { writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { settingsSchema } from '../dist/src/index.js'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
writeFileSync(join(root, 'docs', 'machine.schema.json'), `${JSON.stringify(settingsSchema(), null, 2)}\n`)
