import { closeSync, fsyncSync, openSync, readFileSync, readdirSync, renameSync, rmSync, writeSync } from 'node:fs'
import { InputError } from '../../linux/error.ts'
import { fromNodeError } from '../../linux/proc.ts'
import type { InitKind } from '../../rootfs/init.ts'
import type { BootOptions } from '../boot-options.ts'
import type { ProcessIdentity } from './process-identity.ts'

const VERSION = 1

/** What is kept of a machine while it is there, so that other processes find it. */
export interface MachineRecord {
  readonly version: typeof VERSION
  readonly name: string
  /** Absolute. */
  readonly directory: string
  readonly background: boolean
  /** What it was booted with, for the next boot. */
  readonly options: BootOptions
  readonly init: { readonly path: string; readonly kind: InitKind } | undefined
  /** Whether its init says how far it is. */
  readonly tellsState: boolean
  /** Who boots it, and in the foreground keeps it. */
  readonly starter: ProcessIdentity
  /** In the background: the parent that stays with it, and then cleans up. */
  readonly monitor: ProcessIdentity | undefined
  /** The process with which it ends. */
  readonly container: ProcessIdentity | undefined
  /** Its control group: the path from the root of the hierarchies. */
  readonly cgroup: string | undefined
  /** Its link to the host, and its own address on that. */
  readonly link: { readonly name: string; readonly address: string } | undefined
  /** When it was first booted, and this time: milliseconds since 1970. */
  readonly created: number
  readonly booted: number
  /** How often it was booted. */
  readonly boots: number
  /** Whether all that starts it is done. */
  readonly started: boolean
  /** What it was told to do, by somebody who waits for that. */
  readonly asked: 'power-off' | 'reboot' | undefined
}

/** In characters. */
export const LONGEST_NAME = 63
const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/

/** Throws {@link InputError} for what can't be the name of a machine. */
export const checkMachineName = (name: string): string => {
  if (NAME.test(name)) return name
  throw new InputError({
    operation: 'use as the name of a machine',
    target: JSON.stringify(name),
    reason:
      'it has other characters than letters, digits, "-", "_" and ".", begins with none of the first two, or is longer than 63',
    hint: 'Give another by --name.',
  })
}

const pathOf = (directory: string, name: string): string => `${directory}/${name}.json`

/** The record of a machine; undefined where there is none. */
export const readRecord = (directory: string, name: string): MachineRecord | undefined => {
  const path = pathOf(directory, name)
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw fromNodeError(error, 'read', path)
  }
  // A variable that is not to be there is null in JSON.
  const record: unknown = JSON.parse(text, (_, value: unknown) => (value === null ? undefined : value))
  if (isRecord(record) && record.name === name) return record
  throw new InputError({
    operation: 'read',
    target: path,
    reason: 'it is not what this version of tare writes',
    hint: 'Another version has booted that machine: power it off with that one, or remove the file if it is not running.',
  })
}

const isRecord = (value: unknown): value is MachineRecord =>
  typeof value === 'object' && value !== null && 'version' in value && value.version === VERSION && 'name' in value

/** The names of all machines that have a record, in order. */
export const recordNames = (directory: string): readonly string[] => {
  try {
    return readdirSync(directory)
      .filter((file) => file.endsWith('.json'))
      .map((file) => file.slice(0, -'.json'.length))
      .toSorted()
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw fromNodeError(error, 'list', directory)
  }
}

/** Puts a record in the place of the one before, whole, whatever happens meanwhile. */
export const writeRecord = (directory: string, record: MachineRecord): void => {
  const path = pathOf(directory, record.name)
  const unfinished = `${path}.new`
  try {
    const fd = openSync(unfinished, 'w', 0o600)
    try {
      writeSync(fd, `${JSON.stringify(record, (_, value: unknown) => (value === undefined ? null : value))}\n`)
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
    renameSync(unfinished, path)
  } catch (error) {
    throw fromNodeError(error, 'write', path)
  }
}

/** Files of a machine beside its record. */
export const machineFile = (directory: string, name: string, kind: 'log' | 'console' | 'notify'): string =>
  `${directory}/${name}.${kind}`

/** Removes all files of a machine, the record last: as long as that is there, somebody will clean up. */
export const removeRecord = (directory: string, name: string): void => {
  for (const kind of ['log', 'console', 'notify'] as const) rmSync(machineFile(directory, name, kind), { force: true })
  rmSync(`${pathOf(directory, name)}.new`, { force: true })
  rmSync(pathOf(directory, name), { force: true })
}
