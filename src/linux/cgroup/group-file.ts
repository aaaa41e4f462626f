import { readdirSync, statSync } from 'node:fs'
import { InputError } from '../error.ts'
import { suggest } from '../suggest.ts'
import type { Cgroup } from './cgroup.ts'
import type { ControlFile } from './control-file.ts'
import { controlFileDescriber, controlFiles, controllerOfFile } from './control-file.ts'
import { requireHierarchy } from './layout.ts'

/** A file in one of a group's directories. */
export interface GroupFile {
  readonly file: string
  /** By version 2's name; `cgroup` for what every group has. */
  readonly controller: string
  readonly version: 1 | 2
  readonly path: string
  readonly readable: boolean
  readonly writable: boolean
  /** What it is; undefined for a file that came with a newer kernel. */
  readonly known: ControlFile | undefined
}

/** The files that the kernel has put into a group's directories, controller by controller. */
export const groupFiles = ({ directories }: Cgroup): readonly GroupFile[] => {
  const describers = { 1: controlFileDescriber(1), 2: controlFileDescriber(2) }
  const files = directories.flatMap(({ hierarchy: { version }, directory }) =>
    readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isFile())
      .flatMap(({ name }): readonly GroupFile[] => {
        const path = `${directory}/${name}`
        const mode = statSync(path, { throwIfNoEntry: false })?.mode
        if (mode === undefined) return []
        const controller = controllerOfFile(name)
        const access = { readable: (mode & 0o444) !== 0, writable: (mode & 0o222) !== 0 }
        return [{ file: name, controller, version, path, ...access, known: describers[version](name) }]
      }),
  )
  const order = (a: GroupFile, b: GroupFile): number =>
    a.controller === b.controller ? (a.file < b.file ? -1 : 1) : a.controller < b.controller ? -1 : 1
  return files.toSorted(order)
}

/** What has a command of its own, and is not set as a file. */
const VERBS: Readonly<Record<string, string>> = {
  'cgroup.procs': 'move',
  'cgroup.threads': 'move --threads',
  tasks: 'move --threads',
  'cgroup.kill': 'kill',
  'cgroup.freeze': 'freeze',
  'freezer.state': 'freeze',
}

/** The name of the file by which the other version sets the same. */
const counterpart = (version: 1 | 2, file: string): string | undefined => {
  const key = controlFileDescriber(version === 1 ? 2 : 1)(file)?.key
  return key === undefined ? undefined : controlFiles(version).find((known) => known.key === key)?.file
}

const noSuchFile = (cgroup: Cgroup, file: string, what: string, files: readonly GroupFile[]): InputError => {
  const controller = controllerOfFile(file)
  const hierarchy = requireHierarchy(
    cgroup.layout,
    controller === 'cgroup' ? 'unified' : controller,
    `${what} ${cgroup.name}`,
  )
  const { version } = hierarchy
  const details = { operation: what, target: cgroup.name }
  if (
    controlFileDescriber(version === 1 ? 2 : 1)(file) !== undefined &&
    controlFileDescriber(version)(file) === undefined
  ) {
    const other = counterpart(version, file)
    return new InputError({
      ...details,
      reason: `this host has the ${controller} controller on cgroup version ${version}, which has no such file`,
      hint: other === undefined ? `"tare cgroup get ${cgroup.name}" shows those there are.` : `There it is ${other}.`,
    })
  }
  if (cgroup.directoryOf(controller) === undefined && controller !== 'cgroup') {
    return new InputError({
      ...details,
      reason: `the group is not in the hierarchy of ${controller}`,
      hint: `Make it there too: tare cgroup create --controllers=${controller} ${cgroup.name}`,
    })
  }
  if (controller !== 'cgroup' && !files.some((known) => known.controller === controller)) {
    return new InputError({
      ...details,
      reason: `the ${controller} controller is not enabled for it`,
      hint: `Enable it: tare cgroup create --controllers=${controller} ${cgroup.name}`,
    })
  }
  const meant = suggest(
    file,
    files.map((known) => known.file),
  )
  return new InputError({
    ...details,
    reason: 'the kernel has no such file',
    hint: meant === undefined ? `"tare cgroup get ${cgroup.name}" shows those there are.` : `Did you mean ${meant}?`,
  })
}

/** The file of a group by its name. Throws {@link InputError} that says why there is none, and what to do about it. */
export const requireGroupFile = (cgroup: Cgroup, file: string, what: string): GroupFile => {
  const files = groupFiles(cgroup)
  const found = files.find((known) => known.file === file)
  if (found !== undefined) return found
  throw noSuchFile(cgroup, file, what, files)
}

/** As {@link requireGroupFile}, for a file that sets something. */
export const requireSettableFile = (cgroup: Cgroup, file: string): GroupFile => {
  const found = requireGroupFile(cgroup, file, `set ${file} of`)
  const verb = VERBS[file]
  const details = { operation: `set ${file} of`, target: cgroup.name }
  if (verb !== undefined) {
    throw new InputError({
      ...details,
      reason: 'it does something rather than set something',
      hint: `Use tare cgroup ${verb}.`,
    })
  }
  if (!found.writable) throw new InputError({ ...details, reason: 'it can only be read' })
  return found
}
