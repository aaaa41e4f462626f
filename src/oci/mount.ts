import type { Read } from './fields.ts'
import { arrayOf, Fields, nonEmpty, refuse, string } from './fields.ts'
import type { LinuxIdMapping } from './id-mapping.ts'
import { readIdMappings } from './id-mapping.ts'

/** An entry of `mounts` (runtime-spec, config.md, Mounts). */
export interface Mount {
  /** In the container. A relative path, which is deprecated, is meant from "/". */
  readonly destination: string
  readonly type?: string | undefined
  /** Of a bind mount: absolute, or relative to the bundle. */
  readonly source?: string | undefined
  /** The words of mount(8). */
  readonly options?: readonly string[] | undefined
  /** Both or none. */
  readonly uidMappings?: readonly LinuxIdMapping[] | undefined
  readonly gidMappings?: readonly LinuxIdMapping[] | undefined
}

/** Reads an entry of `mounts`. */
export const readMount: Read<Mount> = (value, at) => {
  const fields = new Fields(value, at)
  const mount: Mount = {
    destination: fields.required('destination', nonEmpty),
    type: fields.optional('type', string),
    source: fields.optional('source', string),
    options: fields.optional('options', arrayOf(string)),
    uidMappings: fields.optional('uidMappings', readIdMappings),
    gidMappings: fields.optional('gidMappings', readIdMappings),
  }
  const [uids, gids] = [mount.uidMappings?.length ?? 0, mount.gidMappings?.length ?? 0]
  if ((uids === 0) !== (gids === 0)) {
    refuse(at, `it has ${uids === 0 ? 'gidMappings and no uidMappings' : 'uidMappings and no gidMappings'}`)
  }
  return mount
}
