import { hasCapability } from '../../linux/capability.ts'
import type { FileStatus } from '../../linux/file-status.ts'
import { S_IFDIR, S_IFMT } from '../../linux/file-status.ts'
import { idInside } from '../../linux/idmap.ts'
import type { Subject } from './subject.ts'

const READ = 4
const WRITE = 2

/** Whether the ids of a file have a meaning in the user namespace of the process: else its capabilities don't count. */
const isMapped = ({ uids, gids }: Subject, { uid, gid }: FileStatus): boolean =>
  idInside(uids, uid) !== undefined && idInside(gids, gid) !== undefined

const bitsFor = ({ status }: Subject, { mode, uid, gid }: FileStatus): number => {
  if (status.uid.filesystem === uid) return mode >> 6
  return status.gid.filesystem === gid || status.groups.includes(gid) ? mode >> 3 : mode
}

/**
 * Whether the permissions of a file let the process write to it: owner, mode and capabilities; whether the mount does is
 * another question. Access lists aren't looked at.
 */
export const mayWrite = (subject: Subject, file: FileStatus): boolean =>
  (bitsFor(subject, file) & WRITE) !== 0 ||
  (hasCapability(subject.powers, 'CAP_DAC_OVERRIDE') && isMapped(subject, file))

/** As {@link mayWrite}, for reading. */
export const mayRead = (subject: Subject, file: FileStatus): boolean => {
  if ((bitsFor(subject, file) & READ) !== 0) return true
  const { powers } = subject
  return (
    (hasCapability(powers, 'CAP_DAC_OVERRIDE') || hasCapability(powers, 'CAP_DAC_READ_SEARCH')) &&
    isMapped(subject, file)
  )
}

/**
 * As {@link mayWrite}, for what sets a parameter of the kernel below /proc/sys: there capabilities count for nothing
 * (fs/proc/proc_sysctl.c).
 */
export const maySet = (subject: Subject, file: FileStatus): boolean => (bitsFor(subject, file) & WRITE) !== 0

export const isDirectory = ({ mode }: FileStatus): boolean => (mode & S_IFMT) === S_IFDIR
