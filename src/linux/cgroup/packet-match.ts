import { InputError } from '../error.ts'
import type { Cgroup } from './cgroup.ts'
import { readIfThere } from './file.ts'

/**
 * The expression by which a rule of nft(8) matches what the processes of a group send: by the class of net_cls on version
 * 1, else by the group itself on version 2, with all groups below it. Throws {@link InputError} if the group has neither.
 */
export const packetMatch = (cgroup: Cgroup): string => {
  const classDirectory = cgroup.directoryOf('net_cls')
  const tag = classDirectory === undefined ? 0 : Number(readIfThere(`${classDirectory}/net_cls.classid`) ?? 0)
  if (tag !== 0) return `meta cgroup 0x${tag.toString(16).padStart(8, '0')}`
  const details = { operation: 'match packets of cgroup', target: cgroup.name }
  if (cgroup.name === '/')
    throw new InputError({ ...details, reason: 'all processes are in it', hint: 'Leave it out.' })
  if (cgroup.unified === undefined) {
    const hint = 'Give it one: tare cgroup set GROUP net-class=10:1'
    throw new InputError({ ...details, reason: 'it has no class, and is not on cgroup version 2', hint })
  }
  const path = cgroup.name.slice(1)
  if (/["\\]|[^\x20-\x7e]/.test(path))
    throw new InputError({ ...details, reason: 'nft takes no such characters in a name', hint: 'Name it otherwise.' })
  return `socket cgroupv2 level ${path.split('/').length} "${path}"`
}
