import type { IdMapping } from '../linux/idmap.ts'
import { checkIdMap } from '../linux/idmap.ts'
import { InputError } from '../linux/error.ts'
import type { Read } from './fields.ts'
import { arrayOf, Fields, refuse, uint32 } from './fields.ts'

/** So many ids of a user namespace or of a mount, and what they are on the host. */
export interface LinuxIdMapping {
  readonly containerID: number
  readonly hostID: number
  readonly size: number
}

const readIdMapping: Read<LinuxIdMapping> = (value, at) => {
  const fields = new Fields(value, at)
  return {
    containerID: fields.required('containerID', uint32),
    hostID: fields.required('hostID', uint32),
    size: fields.required('size', uint32),
  }
}

/** A map in the words of the rest of Tare. */
export const idMapOf = (mappings: readonly LinuxIdMapping[]): readonly IdMapping[] =>
  mappings.map(({ containerID, hostID, size }) => ({ inside: containerID, outside: hostID, size }))

/** Reads `uidMappings` or `gidMappings`: not what the kernel would refuse, such as an id mapped twice. May be empty. */
export const readIdMappings: Read<readonly LinuxIdMapping[]> = (value, at) => {
  const mappings = arrayOf(readIdMapping)(value, at)
  if (mappings.length === 0) return mappings
  try {
    checkIdMap(idMapOf(mappings))
  } catch (error) {
    if (!(error instanceof InputError)) throw error
    refuse(at, error.message.replace(/^cannot map ids: /, ''))
  }
  return mappings
}
