// Lets V8 compile the command line, by using it a little, and keeps what it made for the next start (bin/load.js).
import { renameSync, writeFileSync } from 'node:fs'
import loader from '../bin/load.js'

/** What most commands go through. Nothing of it changes anything. */
const USED = [
  ['help'],
  ['version'],
  ['run', '--help'],
  ['explain', '--', 'true'],
  ['explain', '--json', '-m', '64m', '--', 'true'],
  ['info'],
  ['ps', '--all'],
  ['ns'],
  ['cap'],
  ['cgroup', 'ls'],
  ['audit', String(process.pid)],
]

/** A terminal that nobody looks at. */
const style = Object.fromEntries(['bold', 'dim', 'red', 'green', 'yellow'].map((name) => [name, (text) => text]))
const terminal = { interactive: false, columns: 80, style, print: () => undefined, warn: () => undefined }

const { main } = loader.load()
for (const argv of USED) await main(argv, terminal)
for (const { script, cache } of loader.loaded.values()) {
  // In one piece or not at all: V8 takes what it finds.
  writeFileSync(`${cache}.new`, script.createCachedData())
  renameSync(`${cache}.new`, cache)
}
