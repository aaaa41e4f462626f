import { existsSync, readdirSync, statSync } from 'node:fs'
import { readIfThere } from '../linux/cgroup/file.ts'
import type { CgroupLayout } from '../linux/cgroup/layout.ts'
import { trySyscall } from '../linux/syscall.ts'
import { AT_FDCWD } from '../linux/fcntl.ts'

const AT_REMOVEDIR = 0x200
/** Milliseconds: far longer than a start takes, in which the group is still empty. */
const OLD = 60_000

/** What a container's group is called: its name, and whose it is. */
export const cgroupLeaf = (name: string): string => `${name}.${process.pid}`

const ownerOf = (leaf: string): number | undefined => {
  const match = /^[0-9a-f]{12}\.(\d+)$/.exec(leaf)
  return match === null ? undefined : Number(match[1])
}

/** Version 2 says so itself, of a group and all below it. */
const isPopulated = (group: string): boolean => readIfThere(`${group}/cgroup.events`)?.includes('populated 1') === true

const isStale = (directory: string, leaf: string): boolean => {
  const owner = ownerOf(leaf)
  if (owner === undefined || existsSync(`/proc/${owner}`)) return false
  // One in the background outlives whoever made it, and has groups in it which may be empty just now.
  if (isPopulated(`${directory}/${leaf}`)) return false
  const stats = statSync(`${directory}/${leaf}`, { throwIfNoEntry: false })
  return stats !== undefined && Date.now() - stats.mtimeMs > OLD
}

const leavesOf = (directory: string): readonly string[] =>
  existsSync(directory)
    ? readdirSync(directory, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map(({ name }) => name)
    : []

/** A group, and first those that the container itself made in it, if it was given the group to divide. */
const removeGroup = (directory: string): void => {
  for (const child of leavesOf(directory)) removeGroup(`${directory}/${child}`)
  trySyscall('unlinkat', AT_FDCWD, directory, AT_REMOVEDIR)
}

/**
 * Removes the groups below `parent` of processes that were killed before they could: those whose owner is gone, and
 * that are not new. One that has processes stays, as the kernel removes none such (rmdir(2), cgroups(7)).
 */
export const removeStaleCgroups = (layout: CgroupLayout, parent: string): void => {
  for (const { mountPoint } of layout.hierarchies) {
    const directory = `${mountPoint}/${parent}`
    for (const leaf of leavesOf(directory)) if (isStale(directory, leaf)) removeGroup(`${directory}/${leaf}`)
  }
}
