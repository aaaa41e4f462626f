import { Buffer, isUtf8 } from 'node:buffer'
import { readdirSync, readFileSync, rmdirSync } from 'node:fs'

/**
 * Groups whose names are no UTF-8. Whoever may make groups may make such, and no text means one: they are gone through by
 * the bytes of their names, so that nothing in them is kept from being killed, or the groups from being removed.
 */

const SLASH = Buffer.from('/')
const PROCS = Buffer.from('/cgroup.procs')

/** Whether a path that was read as text may be what it says. One with such a character in it may have other bytes. */
export const isNamed = (path: string): boolean => !path.includes('\ufffd')

/** What a call returns; undefined where the group goes meanwhile. */
const unlessGone = <T>(call: () => T): T | undefined => {
  try {
    return call()
  } catch (error) {
    if (error instanceof Error && 'code' in error && ['ENOENT', 'ENODEV', 'EOPNOTSUPP'].includes(String(error.code)))
      return undefined
    throw error
  }
}

/** A letter of a name that is listed stands for a byte: as buffers, Bun gives names without types. */
const childrenOf = (directory: Buffer): readonly Buffer[] =>
  (unlessGone(() => readdirSync(directory, { withFileTypes: true, encoding: 'latin1' })) ?? [])
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => Buffer.concat([directory, SLASH, Buffer.from(name, 'latin1')]))

/** The groups directly below one that {@link isNamed} doubts. */
export const unnamedGroups = (directory: string): readonly Buffer[] =>
  childrenOf(Buffer.from(directory)).filter((child) => !isUtf8(child) || !isNamed(child.toString()))

/** The processes in such a group and below it. */
export const processesInUnnamed = (directory: Buffer): readonly number[] => [
  ...(unlessGone(() => readFileSync(Buffer.concat([directory, PROCS]), 'ascii')) ?? '')
    .split('\n')
    .map(Number)
    .filter((pid) => pid > 0),
  ...childrenOf(directory).flatMap(processesInUnnamed),
]

/** Removes such a group and those below it, as far as nothing is in them. */
export const removeUnnamed = (directory: Buffer): void => {
  for (const child of childrenOf(directory)) removeUnnamed(child)
  unlessGone(() => {
    try {
      rmdirSync(directory)
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EBUSY')) throw error
    }
  })
}
