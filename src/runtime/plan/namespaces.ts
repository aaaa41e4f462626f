import { AT_RECURSIVE } from '../../linux/fcntl.ts'
import { encodeMountAttr } from '../../linux/mount-attr.ts'
import { CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWTIME, CLONE_NEWUTS } from '../../linux/namespace.ts'
import { TareError } from '../../linux/error.ts'
import { StepBuilder } from '../../plan/builder.ts'
import { DataBuilder } from '../../plan/data.ts'
import { named } from '../../plan/step.ts'
import type { Unshare } from '../stage.ts'
import type { PlanContext } from './context.ts'
import { CWD } from './context.ts'

const AF_INET = named(2, 'AF_INET')
const SOCK_DGRAM = named(2 | 0o2000000, 'SOCK_DGRAM|SOCK_CLOEXEC')
const SIOCSIFFLAGS = named(0x8914, 'SIOCSIFFLAGS')
const IFF_UP = 1

/**
 * The remaining namespaces; those of processes and users are made by the clone. The process makes them before it is the
 * stage: a network takes the kernel as long as many other steps, and the plan is written meanwhile.
 */
const planUnshare = ({ spec }: PlanContext): Unshare => {
  const kinds: [number, string][] = [
    [CLONE_NEWNS, 'CLONE_NEWNS'],
    [CLONE_NEWIPC, 'CLONE_NEWIPC'],
    [CLONE_NEWUTS, 'CLONE_NEWUTS'],
    [CLONE_NEWTIME, 'CLONE_NEWTIME'],
  ]
  const ownNetwork = spec.network !== 'host'
  if (ownNetwork) kinds.push([CLONE_NEWNET, 'CLONE_NEWNET'])
  const flags = kinds.reduce((all, [flag]) => all | flag, 0)
  const builder = new StepBuilder(new DataBuilder(0, 0)).mechanism('namespaces')
  builder.call(
    {
      what: 'make new namespaces',
      why: 'its own mounts, message queues, host name, clocks' + (ownNetwork ? ' and network' : ''),
      hints: {
        EPERM: 'It takes root, or a kernel that lets ordinary users make user namespaces (see "tare info").',
        ENOSPC: 'A limit in /proc/sys/user/max_*_namespaces is reached.',
        EINVAL: 'This kernel lacks one of these namespaces (see "tare info").',
      },
    },
    'unshare',
    [named(flags, kinds.map(([, name]) => name).join('|'))],
  )
  const [step] = builder.steps
  if (step === undefined) throw new TareError({ operation: 'plan', target: 'the namespaces' })
  return { flags, step }
}

/** Namespaces, and what has to be done in a new one before all else. */
export const planNamespaces = (context: PlanContext): Unshare => {
  const { stage } = context
  stage.mechanism('namespaces')
  stage.call(
    { what: 'make all mounts private', why: 'so that no mount of ours reaches the host, and none of the host us' },
    'mount_setattr',
    [
      CWD,
      context.string('/'),
      named(AT_RECURSIVE, 'AT_RECURSIVE'),
      context.data.add(encodeMountAttr({ propagation: 'private' }), '{MS_PRIVATE}'),
      32,
    ],
  )
  stage.call({ what: 'clear the umask', why: 'so that files get exactly the mode they are given' }, 'umask', [0])
  return planUnshare(context)
}

/** Brings up the loopback of a new network namespace (netdevice(7)). */
export const planLoopback = (context: PlanContext): void => {
  const { stage, data, spec } = context
  if (spec.network === 'host') return
  stage.mechanism('namespaces')
  const request = new Uint8Array(40)
  request.set(new TextEncoder().encode('lo'))
  new DataView(request.buffer).setInt16(16, IFF_UP, true)
  const socket = stage.callFor('socket', { what: 'open a socket', why: 'to configure the network' }, 'socket', [
    AF_INET,
    SOCK_DGRAM,
    0,
  ])
  stage.call(
    { what: 'bring up the loopback', why: spec.network === 'none' ? 'the only network that it has' : '' },
    'ioctl',
    [socket, SIOCSIFFLAGS, data.add(request, '{"lo", IFF_UP}')],
  )
  stage.release(socket)
}

export const planHostname = (context: PlanContext): void => {
  const { stage, spec } = context
  const length = new TextEncoder().encode(spec.hostname).length
  stage
    .mechanism('namespaces')
    .call({ what: 'set the host name' }, 'sethostname', [context.string(spec.hostname), length])
}
