import { idOutside } from '../../linux/idmap.ts'
import { trySyscall } from '../../linux/syscall.ts'
import type { ContainerSpec } from '../../runtime/spec.ts'
import type { ResolvedBoot } from '../resolve-boot.ts'

/** Who root of a container is on this host. */
export const rootOutside = ({ userNamespace }: ContainerSpec): { readonly uid: number; readonly gid: number } =>
  userNamespace.kind === 'host'
    ? { uid: 0, gid: 0 }
    : { uid: idOutside(userNamespace.uids, 0) ?? 0, gid: idOutside(userNamespace.gids, 0) ?? 0 }

/**
 * Whether the init of a machine can say how far it is: systemd does, on a socket among the state of machines (sd_notify(3)).
 * Its root has to get there: what is an ordinary user's is closed to the subordinate ids of that user.
 */
export const tellsState = ({ init, spec }: ResolvedBoot): boolean => {
  const uid = trySyscall('geteuid')
  return init.kind === 'systemd' && (uid === 0 || rootOutside(spec).uid === uid)
}
