// The standalone program (docs/standalone.md): the command line as bin/tare is it under Node, and under the name of
// tare-oci the runtime that bin/tare-oci is.
import { basename } from 'node:path'
import { main } from '../dist/src/cli/main.js'

/** What standalone/entry.c has put out of Bun's sight gets its name back: it may be meant for others. */
const HIDDEN = '\x01'

for (const name of Object.keys(process.env)) {
  if (!name.includes(HIDDEN)) continue
  process.env[name.replace(HIDDEN, '_')] = process.env[name]
  delete process.env[name]
}

// Should it end with the command unfinished, that is a failure.
process.exitCode = 125
const run = async () => {
  const words = process.argv.slice(2)
  process.exitCode = await main(basename(process.argv0) === 'tare-oci' ? ['oci', ...words] : words)
}

void run()
