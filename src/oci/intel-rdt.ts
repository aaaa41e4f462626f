import type { Read } from './fields.ts'
import { arrayOf, boolean, Fields, line, nonEmpty, refuse, show } from './fields.ts'

/** `linux.intelRdt` (runtime-spec, config-linux.md, IntelRdt). */
export interface LinuxIntelRdt {
  /** The directory of resctrl: `/` is its root, and the container's id is meant where this is absent. */
  readonly closID?: string | undefined
  readonly l3CacheSchema?: string | undefined
  readonly memBwSchema?: string | undefined
  /** Lines, which go after the two above. */
  readonly schemata?: readonly string[] | undefined
  readonly enableMonitoring?: boolean | undefined
}

const readClosId: Read<string> = (value, at) => {
  const id = nonEmpty(value, at)
  if (id === '/' || (id !== '.' && id !== '..' && !id.includes('/'))) return id
  return refuse(at, `${show(id)} is not the name of one directory`)
}

const readMemBwSchema: Read<string> = (value, at) => {
  const schema = line(value, at)
  return schema.startsWith('MB:') ? schema : refuse(at, `${show(schema)} doesn't start with MB:`)
}

/** Reads `linux.intelRdt`. */
export const readIntelRdt: Read<LinuxIntelRdt> = (value, at) => {
  const fields = new Fields(value, at)
  return {
    closID: fields.optional('closID', readClosId),
    l3CacheSchema: fields.optional('l3CacheSchema', line),
    memBwSchema: fields.optional('memBwSchema', readMemBwSchema),
    schemata: fields.optional('schemata', arrayOf(line)),
    enableMonitoring: fields.optional('enableMonitoring', boolean),
  }
}
