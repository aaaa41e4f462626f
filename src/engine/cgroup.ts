import { accessSync, constants } from 'node:fs'
import { dirname } from 'node:path'
import type { Cgroup, CgroupLayout } from '../linux/cgroup/index.ts'
import {
  cgroupParent,
  cgroupWrites,
  createCgroup,
  findCgroup,
  groupHierarchies,
  ownsRoot,
  parseGroupName,
  readCgroupLayout,
} from '../linux/cgroup/index.ts'
import { readIfThere } from '../linux/cgroup/file.ts'
import { waitUntil } from '../linux/cgroup/wait.ts'
import { InputError } from '../linux/error.ts'
import { rawWrites } from './cgroup-raw.ts'
import type { CgroupSettings } from './cgroup-settings.ts'
import { parseCgroupSettings } from './cgroup-settings.ts'

export interface MakeCgroupOptions {
  /** As {@link parseCgroupSettings} takes them: `memory=64MiB`. */
  readonly settings?: readonly string[]
  /**
   * By version 2's names. By default all of version 1; on version 2 all that the group above can give; where both are side
   * by side, what version 2 has is left until it is asked for, since a group that gives controllers takes no processes.
   */
  readonly controllers?: readonly string[]
}

/** The nearest directory above a path that is there; the mount point at last. */
const nearest = (mountPoint: string, path: string): string => {
  let directory = dirname(`${mountPoint}/${path}`)
  while (directory.length > mountPoint.length && readIfThere(`${directory}/cgroup.procs`) === undefined)
    directory = dirname(directory)
  return directory
}

/** What a group of version 2 can give to children: nothing while it has processes of its own, unless it is the root. */
const controllersBelow = (mountPoint: string, directory: string): readonly string[] => {
  const enabled = readIfThere(`${directory}/cgroup.subtree_control`)?.trim() ?? ''
  const busy = directory !== mountPoint && (readIfThere(`${directory}/cgroup.procs`) ?? '') !== ''
  const text = busy ? enabled : (readIfThere(`${directory}/cgroup.controllers`)?.trim() ?? '')
  return text === '' ? [] : text.split(' ')
}

const mayWrite = (directory: string): boolean => {
  try {
    accessSync(directory, constants.W_OK)
    return true
  } catch {
    return false
  }
}

/** What a group gets that is made without a word about it: of version 1 what this user may write, unless that is nothing. */
const controllersFor = (layout: CgroupLayout, path: string): readonly string[] => {
  const all = groupHierarchies(layout)
  const writable = all.filter(({ mountPoint }) => mayWrite(nearest(mountPoint, path)))
  return (writable.length > 0 ? writable : all).flatMap(({ version, controllers, mountPoint }): readonly string[] =>
    version === 1
      ? controllers.map((name) => (name === 'blkio' ? 'io' : name))
      : ['unified', ...(layout.kind === 'v2' ? controllersBelow(mountPoint, nearest(mountPoint, path)) : [])],
  )
}

/** Where a name without a slash at the front is made. */
const placeOf = (layout: CgroupLayout, text: string, wanted: readonly string[]): string => {
  const { path, absolute } = parseGroupName(layout, text)
  if (path === '')
    throw new InputError({ operation: 'make cgroup', target: '/', reason: 'the root group is always there' })
  return absolute || ownsRoot(layout) ? path : `${cgroupParent(layout, wanted, 'empty')}/${path}`
}

const neededBy = (layout: CgroupLayout, { limits, files }: CgroupSettings): readonly string[] => {
  const words = files.map(({ file }) => file.slice(0, file.indexOf('.'))).filter((word) => word !== 'cgroup')
  return [
    ...new Set([
      ...cgroupWrites(layout, limits).map(({ controller }) => controller),
      ...words.map((name) => (name === 'blkio' ? 'io' : name)),
    ]),
  ]
}

/** The controllers that settings need, by version 2's names. Throws {@link InputError} for what this host can't set. */
export const controllersOfSettings = (layout: CgroupLayout, settings: readonly string[]): readonly string[] =>
  neededBy(layout, parseCgroupSettings(settings))

/**
 * Makes a control group: by default in all hierarchies of version 1, or with all controllers of version 2 that it can
 * have. A name with a slash at the front is a path from the root; one without is below the root for whoever may make
 * groups there, for others below the nearest group that is delegated to them. Groups missing above are made too. If
 * anything fails, nothing is left of it. Throws {@link InputError}, {@link TareError} (cgroups(7)).
 */
export const makeCgroup = (name: string, { settings = [], controllers }: MakeCgroupOptions = {}): Cgroup => {
  const layout = readCgroupLayout()
  const parsed = parseCgroupSettings(settings)
  const needed = neededBy(layout, parsed)
  const path = placeOf(layout, name, [...needed, ...(controllers ?? [])])
  const wanted = [...new Set([...(controllers ?? controllersFor(layout, path)), ...needed])]
  return createCgroup(layout, path, parsed.limits, {
    controllers: wanted,
    finish: (cgroup) => cgroup.set({}, rawWrites(cgroup, parsed.files)),
  })
}

/**
 * Changes settings of a group: `memory=64MiB`, `cpus=0.5`, or by the kernel's own names `memory.high=48MiB`. All or none:
 * if the kernel refuses one, those before it are taken back. Throws {@link InputError} for a group, a name or a value
 * that isn't one, or that this host can't set, and {@link TareError} for what the kernel refuses.
 */
export const setCgroup = (name: string, settings: readonly string[]): Cgroup => {
  const { limits, files } = parseCgroupSettings(settings)
  const cgroup = findCgroup(readCgroupLayout(), name)
  cgroup.set(limits, rawWrites(cgroup, files))
  return cgroup
}

export interface RemoveCgroupOptions {
  /** The groups below it, too. */
  readonly recursive?: boolean
  /** Kills the processes in it first. */
  readonly kill?: boolean
}

/** Processes that are just exiting are gone in less than this; milliseconds. */
const EXITING = 200

const plain = (name: string): string => name.replace(/[^\x20-\x7e]/g, '?')

/** `17 (sleep)`; only the number for a process that went meanwhile. */
const nameOf = (pid: number): string => {
  const comm = readIfThere(`/proc/${pid}/comm`)?.trim()
  return comm === undefined ? String(pid) : `${pid} (${plain(comm)})`
}

const listOf = (names: readonly string[]): string =>
  names.length > 10 ? `${names.slice(0, 10).join(', ')} and ${names.length - 10} more` : names.join(', ')

/**
 * Removes a group. Throws {@link InputError}, with nothing done, if processes or other groups are in it and the options
 * don't say what to do with those; {@link TareError} for what the kernel refuses.
 */
export const removeCgroup = async (
  name: string,
  { recursive = false, kill = false }: RemoveCgroupOptions = {},
): Promise<void> => {
  const cgroup = findCgroup(readCgroupLayout(), name)
  const refuse = (reason: string, hint: string): InputError =>
    new InputError({ operation: 'remove cgroup', target: cgroup.name, reason, hint })
  if (cgroup.name === '/') throw refuse('it is the root of all', 'Name a group below it.')
  const children = cgroup.children()
  if (children.length > 0 && !recursive)
    throw refuse(`there are groups below it: ${listOf(children.map(plain))}`, 'Remove them first, or all of it: -r.')
  const left = (): readonly number[] => cgroup.allProcesses()
  if (!kill && !(await waitUntil(() => left().length === 0, EXITING))) {
    throw refuse(
      `there are processes in it: ${listOf(left().map(nameOf))}`,
      'End them or move them first, or have them killed: --kill.',
    )
  }
  if (kill) await cgroup.kill()
  await cgroup.remove()
}
