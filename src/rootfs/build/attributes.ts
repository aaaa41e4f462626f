import type { Stats } from 'node:fs'
import { fchmodSync, fchownSync, fstatSync } from 'node:fs'
import { TareError } from '../../linux/error.ts'
import { syscall } from '../../linux/syscall.ts'
import { getXattr, listXattrs, setXattr } from '../../linux/xattr.ts'

const PERMISSIONS = 0o7777
const SET_IDS = 0o6000
const SECOND = 1_000_000_000n
const CAPABILITY = 'security.capability'
const KEPT = (name: string): boolean =>
  name === CAPABILITY ||
  name === 'system.posix_acl_access' ||
  name === 'system.posix_acl_default' ||
  name.startsWith('user.')

const codeOf = (error: unknown): string => (error instanceof Error && 'code' in error ? String(error.code) : '')

/** What couldn't be kept of files' attributes, by what it is: their paths. */
export class Losses {
  readonly #paths = new Map<string, string[]>()

  note(what: string, path: string): void {
    const known = this.#paths.get(what)
    if (known === undefined) this.#paths.set(what, [path])
    else known.push(path)
  }

  /** A sentence for each kind. */
  get sentences(): readonly string[] {
    return [...this.#paths].map(([what, paths]) => {
      const rest = paths.length > 3 ? ` and ${paths.length - 3} more` : ''
      return `${what}: ${paths.slice(0, 3).join(', ')}${rest}`
    })
  }
}

const giveTo = (fd: number, { uid, gid }: Pick<Stats, 'uid' | 'gid'>): boolean => {
  try {
    fchownSync(fd, uid, gid)
    return true
  } catch (error) {
    // EINVAL: an id that this user namespace doesn't have.
    if (codeOf(error) === 'EPERM' || codeOf(error) === 'EINVAL') return false
    throw error
  }
}

const copyXattrs = (from: number, to: number, path: string, losses: Losses): void => {
  for (const name of attributeNames(from)) {
    const value = getXattr(from, name)
    if (value === undefined) continue
    try {
      setXattr(to, name, value)
    } catch (error) {
      if (!(error instanceof TareError) || !['EPERM', 'EOPNOTSUPP'].includes(error.code)) throw error
      losses.note(
        name === CAPABILITY
          ? 'file capabilities left out, as this user may not set them'
          : `attribute ${name} left out, as it can't be set there`,
        path,
      )
    }
  }
}

const attributeNames = (fd: number): readonly string[] => {
  try {
    return listXattrs(fd).filter(KEPT)
  } catch (error) {
    if (error instanceof TareError && error.code === 'EOPNOTSUPP') return []
    throw error
  }
}

/**
 * Gives an open file the owner, permissions, capabilities and times of another. The owner first: the kernel takes
 * set-user-id and capabilities from a file that gets another. What can't be kept is noted; set-user-id isn't kept
 * without the owner, who is whom the program would run as.
 */
export const copyAttributes = (from: number, to: number, stats: Stats, path: string, losses: Losses): void => {
  const given = giveTo(to, stats)
  if (!given) losses.note('owners not kept, as this user may not give files away', path)
  const setIds = stats.mode & SET_IDS
  if (!given && setIds !== 0 && stats.isFile())
    losses.note('set-user-id or set-group-id left out, as the owner is not kept', path)
  fchmodSync(to, stats.mode & PERMISSIONS & ~(given ? 0 : SET_IDS))
  copyXattrs(from, to, path, losses)
  copyTimes(from, to, path)
}

/** To the nanosecond, which node:fs doesn't do: programs compare times for equality. */
const copyTimes = (from: number, to: number, path: string): void => {
  const { atimeNs, mtimeNs } = fstatSync(from, { bigint: true })
  const times = BigInt64Array.from([atimeNs, mtimeNs].flatMap((time) => [time / SECOND, time % SECOND]))
  syscall({ operation: 'set the times of', target: path }, 'utimensat', to, null, times, 0)
}
