import { InputError } from '../../linux/error.ts'
import type { NamespaceKind } from '../../linux/namespace.ts'
import { named } from '../../plan/step.ts'
import { CWD } from '../plan/context.ts'
import { planLoopback } from '../plan/namespaces.ts'
import type { OciContext } from './context.ts'

/** Parameters of the kernel that each namespace of a kind has for itself: whole subtrees end in a slash. */
const OWN: readonly (readonly [NamespaceKind, RegExp])[] = [
  [
    'ipc',
    /^(kernel\/(msg(max|mnb|mni|_next_id)|sem(_next_id)?|shm(all|max|mni|_next_id|_rmid_forced))|fs\/mqueue\/.+)$/,
  ],
  ['net', /^net\/.+$/],
  ['uts', /^kernel\/(hostname|domainname)$/],
  ['user', /^user\/.+$/],
]

const refuse = (place: string, reason: string, hint: string): never => {
  throw new InputError({ operation: 'use', target: `config.json: ${place}`, reason, hint })
}

/** `net/ipv4/conf/eth0.1/forwarding` by either of its names: the first separator tells which (sysctl(8)). */
const pathOf = (name: string): string => {
  const first = /[./]/.exec(name)?.[0]
  if (first === '/') return name
  return name.replaceAll(/[./]/g, (character) => (character === '.' ? '/' : '.'))
}

/** Kernel parameters of the container's own namespaces. By the host's /proc, which shows each process its own. */
const planSysctls = (context: OciContext): void => {
  const { stage, data, oci } = context
  for (const [name, value] of Object.entries(oci.linux?.sysctl ?? {})) {
    const path = pathOf(name)
    const owner = OWN.find(([, pattern]) => pattern.test(path) && !path.split('/').includes('..'))?.[0]
    const place = `linux.sysctl: ${name}`
    if (owner === undefined) refuse(place, 'it is the whole host’s, not a namespace’s', 'Set it on the host.')
    else if (!context.has(owner))
      refuse(place, `the container shares the ${owner} namespace of its caller`, `Give it one of its own.`)
    const words = {
      what: `set the sysctl ${name} to ${value}`,
      hints: {
        ENOENT: 'This kernel has no such parameter, or not for each namespace.',
        EACCES: 'It may not be changed from a user namespace.',
        EINVAL: 'The kernel does not take this value.',
      },
    }
    const file = stage.callFor('file', words, 'openat', [
      CWD,
      context.string(`/proc/sys/${path}`),
      named(0o2000001, 'O_WRONLY|O_CLOEXEC'),
      0,
    ])
    const bytes = new TextEncoder().encode(value)
    stage.call(words, 'write', [file, data.add(bytes, JSON.stringify(value)), bytes.length])
    stage.release(file)
  }
}

const planNames = (context: OciContext): void => {
  const { stage, oci } = context
  for (const [call, key, value] of [
    ['sethostname', 'hostname', oci.hostname],
    ['setdomainname', 'domainname', oci.domainname],
  ] as const) {
    if (value === undefined || value === '') continue
    if (!context.has('uts'))
      refuse(key, 'the container shares the uts namespace of its caller', 'Add {"type": "uts"} to linux.namespaces.')
    const length = new TextEncoder().encode(value).length
    stage.call({ what: `set the ${key} to ${value}` }, call, [context.string(value), length])
  }
}

/** Names, loopback and parameters of the container's namespaces, as long as the host's /proc is there. */
export const planKernelSettings = (context: OciContext): void => {
  context.stage.mechanism('namespaces')
  planLoopback(context)
  planNames(context)
  planSysctls(context)
}
