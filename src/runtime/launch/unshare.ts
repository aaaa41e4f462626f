import { AT_RECURSIVE } from '../../linux/fcntl.ts'
import { encodeMountAttr } from '../../linux/mount-attr.ts'
import { MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_PRIVATE, MS_REC } from '../../linux/mount-flags.ts'
import { named } from '../../plan/step.ts'
import { CWD } from '../plan/context.ts'
import { PR_SET_DUMPABLE } from '../plan/prctl.ts'
import type { LaunchContext } from './context.ts'
import { namespaceFlagsNamed } from './enter.ts'
import type { UnshareSpec } from './spec.ts'

const HINTS = {
  EPERM:
    'Every kind but user takes CAP_SYS_ADMIN: be root, or make a new user namespace with it, where this host lets ordinary users do so (see "tare info"). A process in a chroot may make none.',
  ENOSPC: 'A limit in /proc/sys/user/max_*_namespaces is reached, or they are nested 32 levels deep.',
  EUSERS: 'User namespaces are nested 32 levels deep.',
  EINVAL: 'This kernel lacks one of these kinds of namespaces (see "tare info").',
}

const OWNER_HINTS = { EPERM: 'It takes CAP_SETUID and CAP_SETGID: be root.' }

/** Becomes the user who is to own a new user namespace: whoever makes it does. */
const planOwner = ({ stage, data }: LaunchContext, { uid, gid }: NonNullable<UnshareSpec['owner']>): void => {
  const words = { what: `become the owner, ${uid}:${gid}`, hints: OWNER_HINTS }
  stage.call(words, 'setgroups', [0, data.space(8, '[]')])
  stage.call(words, 'setresgid', [gid, gid, gid])
  stage.call(words, 'setresuid', [uid, uid, uid])
}

/** Makes new namespaces. The process is in them at once, but for pid and time: those its children are born into. */
export const planUnshare = (context: LaunchContext): void => {
  const { stage, spec } = context
  if (spec.unshare === undefined) return
  const { kinds, owner, monotonic, boottime } = spec.unshare
  stage.mechanism('namespaces')
  if (owner !== undefined) planOwner(context, owner)
  stage.call({ what: `make new namespaces: ${kinds.join(', ')}`, hints: HINTS }, 'unshare', [
    namespaceFlagsNamed(kinds),
  ])
  // Its files in /proc are root's otherwise, and among them are those that are written next. Only then: in namespaces that
  // were entered, whoever has CAP_SYS_PTRACE there could take over what is still root of the host.
  const writes = kinds.includes('user') || monotonic !== undefined || boottime !== undefined
  if (owner !== undefined || (spec.enter.length > 0 && writes))
    stage.call({ what: 'be open again', why: 'to set the new namespaces up' }, 'prctl', [PR_SET_DUMPABLE, 1, 0, 0, 0])
  for (const [clock, seconds] of [
    ['monotonic', monotonic],
    ['boottime', boottime],
  ] as const) {
    if (seconds === undefined) continue
    context.write('/proc/self/timens_offsets', `${clock} ${seconds} 0\n`, {
      what: `set the ${clock} clock ${seconds} seconds ahead`,
      hints: {
        ERANGE: 'The clock would stand before 0, or after more than 146 years.',
        EACCES: 'A process is in the new time namespace already.',
        EPERM: 'It takes CAP_SYS_TIME in the user namespace that owns the time namespace.',
      },
    })
  }
}

/** What the process sets up by itself in its new namespaces, before anything is mounted in them. */
export const planPropagation = (context: LaunchContext): void => {
  const { stage, spec } = context
  const { propagation } = spec.unshare ?? {}
  if (propagation === undefined) return
  stage
    .mechanism('namespaces')
    .call(
      { what: `make all mounts ${propagation}`, hints: { EINVAL: '"/" is not the top of a mount here.' } },
      'mount_setattr',
      [
        CWD,
        context.string('/'),
        named(AT_RECURSIVE, 'AT_RECURSIVE'),
        context.data.add(encodeMountAttr({ propagation }), `{MS_${propagation.toUpperCase()}}`),
        32,
      ],
    )
}

const HARMLESS = named(MS_NOSUID | MS_NODEV | MS_NOEXEC, 'MS_NOSUID|MS_NODEV|MS_NOEXEC')
const PRIVATE = named(MS_PRIVATE | MS_REC, 'MS_PRIVATE|MS_REC')
const EINVAL = 22

const mountKernelFiles = (context: LaunchContext, type: 'proc' | 'binfmt_misc', path: string): void => {
  const { stage, spec } = context
  const target = context.string(path)
  // Where everything was made private before, this was too.
  if (spec.root !== undefined || spec.unshare?.propagation !== 'private') {
    const next = stage.label()
    stage.call(
      { what: `make ${path} private`, why: 'so that what is mounted there reaches nobody else' },
      'mount',
      [context.string('none'), target, 0, PRIVATE, 0],
      // No mount as yet.
      [{ errno: EINVAL, to: next }],
    )
    stage.place(next)
  }
  stage.call(
    {
      what: `mount ${type} at ${path}`,
      hints: {
        ENOENT: 'The directory must exist.',
        EPERM:
          'It takes CAP_SYS_ADMIN, a pid namespace that this user namespace owns (--pid --fork), and a /proc that nothing hides parts of.',
        ENODEV: `This kernel has no ${type}.`,
        EBUSY: 'It is mounted there already.',
      },
    },
    'mount',
    [context.string(type), target, context.string(type), HARMLESS, 0],
  )
}

/** File systems of the kernel that show the new namespaces: proc its processes, binfmt_misc its interpreters. */
export const planKernelMounts = (context: LaunchContext): void => {
  const { spec } = context
  const { proc, binfmt } = spec.unshare ?? {}
  context.stage.mechanism('namespaces')
  if (proc !== undefined) mountKernelFiles(context, 'proc', proc)
  if (binfmt !== undefined) {
    mountKernelFiles(context, 'binfmt_misc', binfmt.path)
    if (binfmt.register !== undefined) {
      context.write(`${binfmt.path.replace(/\/$/, '')}/register`, binfmt.register, {
        what: `register the interpreter ${binfmt.register}`,
        hints: {
          EINVAL: 'It is :NAME:TYPE:OFFSET:MAGIC:MASK:INTERPRETER:FLAGS (binfmt-misc.rst of the kernel).',
          EEXIST: 'There is one of that name.',
        },
      })
    }
  }
}
