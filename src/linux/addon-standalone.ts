import { closeSync, readFileSync, writeFileSync } from 'node:fs'

/** The name of this process's first thread. */
const NAME = '/proc/self/comm'

/**
 * Loads the addon that the standalone program has put into memory at its start, and named its thread after
 * (standalone/entry.c). The build puts this file in the place of ./addon.ts.
 */
export const loadAddon = (): unknown => {
  const [, number] = /^tare (\d+)\n$/.exec(readFileSync(NAME, 'latin1')) ?? []
  if (number === undefined) throw new Error("cannot load Tare's native addon: nothing has put it into memory")
  const loaded = { exports: {} }
  process.dlopen(loaded, `/proc/self/fd/${number}`)
  closeSync(Number(number))
  writeFileSync(NAME, 'tare')
  return loaded.exports
}
