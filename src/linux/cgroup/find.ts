import { accessSync, constants } from 'node:fs'
import { InputError } from '../error.ts'
import { suggest } from '../suggest.ts'
import { Cgroup } from './cgroup.ts'
import { isDirectory } from './file.ts'
import { groupHierarchies, groupsOfProcess, parseGroupName } from './group-name.ts'
import type { CgroupLayout } from './layout.ts'
import { cgroupTree } from './tree.ts'

/** The group with this path in whichever hierarchies it is; undefined if it is in none. */
const groupAt = (layout: CgroupLayout, path: string): Cgroup | undefined => {
  const directories = groupHierarchies(layout)
    .map((hierarchy) => ({
      hierarchy,
      directory: path === '' ? hierarchy.mountPoint : `${hierarchy.mountPoint}/${path}`,
    }))
    .filter(({ directory }) => isDirectory(directory))
  return directories.length === 0 ? undefined : new Cgroup(layout, directories)
}

/** Whether this user may make groups at the root of the hierarchies: then that is where names without a slash begin. */
export const ownsRoot = (layout: CgroupLayout): boolean => {
  const hierarchies = groupHierarchies(layout)
  return hierarchies.length > 0 && hierarchies.every(({ mountPoint }) => mayWrite(mountPoint))
}

const mayWrite = (path: string): boolean => {
  try {
    accessSync(path, constants.W_OK)
    return true
  } catch {
    return false
  }
}

/** Below which groups a name without a slash is looked for: the caller's own group and those above it, nearest first. */
const searchPaths = (layout: CgroupLayout): readonly string[] => {
  if (ownsRoot(layout)) return ['']
  const own = groupsOfProcess(layout, 'self')
  const start = own.get('unified') ?? own.values().next().value ?? ''
  const parts = start === '' ? [] : start.split('/')
  return Array.from({ length: parts.length + 1 }, (_, index) => parts.slice(0, parts.length - index).join('/'))
}

const noSuchGroup = (layout: CgroupLayout, text: string, paths: readonly string[]): InputError => {
  if (groupHierarchies(layout).length === 0) {
    return new InputError({
      operation: 'find cgroup',
      target: text,
      reason: 'no cgroup hierarchy is mounted here',
      hint: 'Mount it: mount -t cgroup2 none /sys/fs/cgroup',
    })
  }
  // Whoever may make groups names them as he likes: what could drive a terminal isn't suggested.
  const names = cgroupTree(layout)
    .map(({ name }) => name)
    .filter((name) => /^[\x20-\x7e]+$/.test(name))
  const meant = suggest(`/${paths.at(-1) ?? ''}`, names)
  return new InputError({
    operation: 'find cgroup',
    target: text,
    reason: 'there is no such group',
    hint: meant === undefined ? '"tare cgroup ls" lists those there are.' : `Did you mean ${meant}?`,
  })
}

/**
 * Finds the group that a name means (see `parseGroupName`). One without a slash at the front is below the root for
 * whoever may make groups there; for others below their own group or the nearest above it that has such a child.
 * Throws {@link InputError} if there is none.
 */
export const findCgroup = (layout: CgroupLayout, text: string): Cgroup => {
  const { path, absolute } = parseGroupName(layout, text)
  const paths = absolute ? [path] : searchPaths(layout).map((parent) => (parent === '' ? path : `${parent}/${path}`))
  for (const candidate of paths) {
    const group = groupAt(layout, candidate)
    if (group !== undefined) return group
  }
  throw noSuchGroup(layout, text, paths)
}
