import { readFileSync } from 'node:fs'
import { readCgroupLayout } from '../linux/cgroup/layout.ts'
import { fileType } from '../linux/file-type.ts'
import { trySyscall } from '../linux/syscall.ts'
import type { PlanHost } from './plan/context.ts'

/** Remembers for one plan; what a kernel has may change with its modules. */
const kernelFileReader = (): PlanHost['kernelFile'] => {
  const known = new Map<string, 'file' | 'directory' | undefined>()
  return (path) => {
    if (known.has(path)) return known.get(path)
    const type = fileType(path, { follow: true })
    const kind = type === undefined || type === 'directory' ? type : 'file'
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
  const uid = trySyscall('geteuid')
  return {
    privileged: uid === 0 && inFirstUserNamespace(),
    uid,
    gid: trySyscall('getegid'),
    cgroups: cgroups ? readCgroupLayout() : undefined,
    kernelFile: kernelFileReader(),
  }
}
