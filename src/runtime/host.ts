import { Buffer } from 'node:buffer'
import { readFileSync } from 'node:fs'
import { readCgroupLayout } from '../linux/cgroup/layout.ts'
import { trySyscall } from '../linux/syscall.ts'
import type { PlanHost } from './plan/context.ts'

const AT_FDCWD = -100
const STATX_TYPE = 1
/** Offset of stx_mode in struct statx (statx(2)), and what it says. */
const MODE = 28
const [S_IFMT, S_IFDIR] = [0o170000, 0o040000]

/** Asked for each path that is hidden, at each start: by the system call itself, which takes a microsecond. */
const kernelFileReader = (): PlanHost['kernelFile'] => {
  const bytes = Buffer.alloc(256)
  const known = new Map<string, 'file' | 'directory' | undefined>()
  return (path) => {
    if (known.has(path)) return known.get(path)
    const found = trySyscall('statx', AT_FDCWD, path, 0, STATX_TYPE, bytes) === 0
    const kind = found ? ((bytes.readUInt16LE(MODE) & S_IFMT) === S_IFDIR ? 'directory' : 'file') : undefined
    known.set(path, kind)
    return kind
  }
}

/** All ids are there, and are themselves: root here is the host's root, not that of a user namespace (user_namespaces(7)). */
const IDENTITY = /^\s*0\s+0\s+4294967295\s*$/
let first: boolean | undefined

const inFirstUserNamespace = (): boolean => (first ??= IDENTITY.test(readFileSync('/proc/self/uid_map', 'ascii')))

/** What a plan needs to know of this host. `cgroups`: whether limits are wanted, for which the hierarchies are read. */
export const readPlanHost = ({ cgroups }: { readonly cgroups: boolean }): PlanHost => {
  const uid = process.geteuid?.() ?? -1
  return {
    privileged: uid === 0 && inFirstUserNamespace(),
    uid,
    gid: process.getegid?.() ?? -1,
    cgroups: cgroups ? readCgroupLayout() : undefined,
    kernelFile: kernelFileReader(),
  }
}
