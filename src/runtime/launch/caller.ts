import { writeFileSync } from 'node:fs'
import { formatIdMap } from '../../linux/idmap.ts'
import { hintedSyscall } from '../../linux/hinted-syscall.ts'
import { umount } from '../../linux/mount.ts'
import { MS_BIND } from '../../linux/mount-flags.ts'
import type { NamespaceKind, NamespaceLink } from '../../linux/namespace.ts'
import { NAMESPACE_KINDS } from '../../linux/namespace.ts'
import { fromNodeError } from '../../linux/proc.ts'
import { mapWithHelpers } from '../mapping-helpers.ts'
import type { IdMapSpec, LaunchSpec } from './spec.ts'

const MAP_HINTS = {
  EPERM: 'To map more than one id, or one of another, takes CAP_SETUID and CAP_SETGID: be root.',
  EINVAL: 'The mappings overlap, or there are too many.',
}

const writeMap = (pid: number, which: 'uid' | 'gid', map: IdMapSpec | undefined): void => {
  if (map?.by !== 'caller') return
  const text = formatIdMap(map.mappings)
  try {
    writeFileSync(`/proc/${pid}/${which}_map`, text)
  } catch (error) {
    throw fromNodeError(error, `map the ${which}s`, `(${text.trim().replaceAll('\n', ', ')})`, MAP_HINTS)
  }
}

/** The namespaces that children are born into: the process itself is in them only if it is such a child. */
const linkOf = (kind: NamespaceKind, fork: boolean): NamespaceLink =>
  fork || (kind !== 'pid' && kind !== 'time') ? kind : `${kind}_for_children`

/**
 * A mount namespace can't be mounted in one that is not older, nor on a shared mount, which might bring it there. Linux
 * 6.18 tells the age by numbers of which each processor has its own supply: one that another processor has made may seem
 * older (mnt_ns_loop, ns_id).
 */
const BIND_HINTS: Readonly<Partial<Record<NamespaceKind, string>>> = {
  mnt: 'The file must lie on a mount that is not shared: "mount --bind DIR DIR; mount --make-private DIR" makes one. Linux 6.18 refuses it at times there too: try again.',
}

/** Mounts the namespaces of a process on files, so that they stay when it has ended. Notes in `done` what it did. */
const persist = (pid: number, { unshare, fork }: LaunchSpec, done: string[]): void => {
  for (const kind of NAMESPACE_KINDS) {
    const path = unshare?.persistent[kind]
    if (path === undefined) continue
    const source = `/proc/${pid}/ns/${linkOf(kind, fork)}`
    const hints = {
      EPERM: 'To mount takes CAP_SYS_ADMIN: be root.',
      EINVAL: BIND_HINTS[kind] ?? 'The file must lie on a mount.',
      ENOENT: `The file must exist: "touch ${path}".`,
      ENOTDIR: 'It must be a file.',
    }
    const purpose = { operation: `keep the new ${kind} namespace at`, target: path }
    hintedSyscall(purpose, hints, 'mount', source, path, null, MS_BIND, null)
    done.push(path)
  }
}

/** What only a process outside can do for new namespaces: map ids of others, and keep them for later. */
export const setUpNamespaces = async (spec: LaunchSpec, pid: number, persisted: string[]): Promise<void> => {
  const { uids, gids } = spec.unshare ?? {}
  const helped = (map: IdMapSpec | undefined): IdMapSpec['mappings'] => (map?.by === 'helper' ? map.mappings : [])
  if (uids?.by === 'helper' || gids?.by === 'helper')
    await mapWithHelpers(pid, { kind: 'mapped', uids: helped(uids), gids: helped(gids), helper: true })
  writeMap(pid, 'uid', uids)
  writeMap(pid, 'gid', gids)
  persist(pid, spec, persisted)
}

/** Takes the mounts away again. */
export const forgetNamespaces = (persisted: readonly string[]): void => {
  for (const path of persisted) umount(path, { noFollow: true, detach: true })
}
