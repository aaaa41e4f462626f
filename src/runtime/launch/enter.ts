import type { NamespaceKind } from '../../linux/namespace.ts'
import { NAMESPACES } from '../../linux/namespace.ts'
import type { Named } from '../../plan/step.ts'
import { named } from '../../plan/step.ts'
import { PR_SET_DUMPABLE } from '../plan/prctl.ts'
import type { LaunchContext } from './context.ts'

const FLAG_NAMES: Readonly<Record<NamespaceKind, string>> = {
  cgroup: 'CLONE_NEWCGROUP',
  ipc: 'CLONE_NEWIPC',
  mnt: 'CLONE_NEWNS',
  net: 'CLONE_NEWNET',
  pid: 'CLONE_NEWPID',
  time: 'CLONE_NEWTIME',
  user: 'CLONE_NEWUSER',
  uts: 'CLONE_NEWUTS',
}

/** The flags of some kinds as an operand: `CLONE_NEWNS|CLONE_NEWPID`. */
export const namespaceFlagsNamed = (kinds: readonly NamespaceKind[]): Named =>
  named(
    kinds.reduce((flags, kind) => flags | NAMESPACES[kind].flag, 0),
    kinds.map((kind) => FLAG_NAMES[kind]).join('|'),
  )

const HINTS = {
  EPERM:
    'It takes CAP_SYS_ADMIN in the user namespace that owns it and in this one, and for mnt CAP_SYS_CHROOT too: be root, or enter that user namespace as well, as the user who made it.',
  EINVAL: 'It is a namespace of another kind, or the user namespace that this process is in already.',
  ESRCH: 'The process has ended.',
  EUSERS: 'Only a process of one thread may enter it.',
}

const PROCESS_GONE = 'The process has ended, or this kernel lacks one of these kinds of namespaces.'

/** Control groups first: whether they may be joined depends on who this process still is. */
export const planJoins = (context: LaunchContext): void => {
  const { stage, spec } = context
  stage.mechanism('cgroups')
  for (const { fd, path } of spec.joins) {
    const words = {
      what: `join the control group of ${path}`,
      hints: {
        EACCES: 'Both groups, and the nearest one above both, must be writable for this user.',
        EBUSY: 'The group has controllers enabled for its children, so no process may be in it.',
        EOPNOTSUPP: 'The group is threaded, or invalid as one of its parents is (cgroup.type).',
        ENOENT: 'The group was removed meanwhile.',
        ENODEV: 'The group was removed meanwhile.',
        ENOSPC: 'The group has no processors or no memory nodes yet: set cpuset.cpus and cpuset.mems.',
      },
    }
    stage.call(words, 'write', [context.inherit(fd, `cgroup ${path}`), context.string('0'), 1])
  }
}

/** Enters the namespaces of others, one owner after the other. */
export const planEnter = (context: LaunchContext): void => {
  const { stage, spec } = context
  if (spec.enter.length === 0) return
  stage
    .mechanism('start')
    .call({ what: 'be opaque', why: 'no process there may look into this one before it is theirs' }, 'prctl', [
      PR_SET_DUMPABLE,
      0,
      0,
      0,
      0,
    ])
  stage.mechanism('namespaces')
  for (const { fd, kinds, of } of spec.enter) {
    const words = {
      what: `enter the ${kinds.join(', ')} namespace${kinds.length === 1 ? '' : 's'} of ${of}`,
      why: kinds.length > 1 ? 'all at once' : '',
      hints: kinds.length > 1 ? { ...HINTS, EINVAL: PROCESS_GONE } : HINTS,
    }
    stage.call(words, 'setns', [context.inherit(fd, of), namespaceFlagsNamed(kinds)])
  }
}
