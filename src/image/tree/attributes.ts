import { TareError } from '../../linux/error.ts'
import { getXattr, listXattrs } from '../../linux/xattr.ts'

/** The attributes that are a file's own; the rest are its file system's, or its host's (labels). */
export const isKept = (name: string): boolean =>
  name === 'security.capability' ||
  name === 'system.posix_acl_access' ||
  name === 'system.posix_acl_default' ||
  name.startsWith('user.')

const NONE: ReadonlyMap<string, Uint8Array> = new Map()

/** The extended attributes of a file that is open, be it with O_PATH. */
export const xattrsOf = (fd: number, path: string): ReadonlyMap<string, Uint8Array> => {
  const target = `/proc/self/fd/${fd}`
  const purpose = { operation: 'read the attributes of', target: path }
  try {
    const names = listXattrs(target, { purpose }).filter(isKept)
    if (names.length === 0) return NONE
    const found = new Map<string, Uint8Array>()
    for (const name of names) {
      const value = getXattr(target, name, { purpose })
      if (value !== undefined) found.set(name, value)
    }
    return found
  } catch (error) {
    if (error instanceof TareError && error.code === 'EOPNOTSUPP') return NONE
    throw error
  }
}
