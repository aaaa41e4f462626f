import { InputError } from '../error.ts'
import type { CgroupHierarchy, CgroupLayout } from './layout.ts'
import { cgroupDirectory, readCgroupOf } from './layout.ts'

/** The hierarchies in which groups limit and account: all but version 1's named ones, which only sort processes. */
export const groupHierarchies = (layout: CgroupLayout): readonly CgroupHierarchy[] =>
  layout.hierarchies.filter(({ name }) => !name.startsWith('name='))

const refuse = (text: string, reason: string): InputError =>
  new InputError({
    operation: 'use',
    target: `${JSON.stringify(text)} as the name of a cgroup`,
    reason,
    hint: 'Write /web or /shop/web: a path from the root of the hierarchies, as /proc/PID/cgroup has it.',
  })

/** A directory below a mount point of cgroups, as the name of the group; every other text stays what it is. */
const withoutMountPoint = (layout: CgroupLayout, text: string): string => {
  const inside = layout.hierarchies
    .map(({ mountPoint }) => mountPoint)
    .filter((mountPoint) => text === mountPoint || text.startsWith(`${mountPoint}/`))
    .toSorted((a, b) => b.length - a.length)
  return inside[0] === undefined ? text : `/${text.slice(inside[0].length)}`
}

/** The name of a group as a person writes it. */
export interface GroupName {
  /** Without slashes at the ends; empty for the root. */
  readonly path: string
  /** Whether it is a path from the root. If not, it is below a group that belongs to the caller. */
  readonly absolute: boolean
}

/**
 * Reads the name of a group: `/shop/web` from the root of the hierarchies, `web` below a group of the caller's, or the
 * group's directory (`/sys/fs/cgroup/memory/shop/web`). Throws {@link InputError} for one that leaves the hierarchy
 * (`..`), or can't be the name of a directory.
 */
export const parseGroupName = (layout: CgroupLayout, text: string): GroupName => {
  if (text === '') throw refuse(text, 'it is empty')
  if (/[\n\0]/.test(text)) throw refuse(text, 'the kernel takes no line break in a name')
  const given = withoutMountPoint(layout, text)
  const parts = given.split('/').filter((part) => part !== '')
  if (parts.includes('..')) throw refuse(text, '".." would leave the hierarchy')
  if (parts.includes('.')) throw refuse(text, '"." is no name of a group')
  if (parts.some((part) => Buffer.byteLength(part) > 255)) throw refuse(text, 'a part of it is longer than 255 bytes')
  return { path: parts.join('/'), absolute: given.startsWith('/') }
}

/** The groups that a process is in, by the hierarchy's name, as paths below the mount points (`shop/web`; empty for the root). */
export const groupsOfProcess = (layout: CgroupLayout, pid: number | 'self'): ReadonlyMap<string, string> => {
  const paths = readCgroupOf(pid)
  return new Map(
    groupHierarchies(layout).flatMap((hierarchy): readonly (readonly [string, string])[] => {
      const path = paths.get(hierarchy.name)
      const directory = path === undefined ? undefined : cgroupDirectory(hierarchy, path)
      return directory === undefined ? [] : [[hierarchy.name, directory.slice(hierarchy.mountPoint.length + 1)]]
    }),
  )
}
