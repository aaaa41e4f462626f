import type { Spec } from '../../oci/spec.ts'
import { InputError } from '../../linux/error.ts'

/** What a bundle may ask for and this runtime can't give: nothing of it is passed over in silence. */
export const refuseUnsupported = ({ process, linux }: Spec): void => {
  const refuse = (place: string, asked: boolean, reason: string, hint = 'Leave it out.'): void => {
    if (asked) throw new InputError({ operation: 'use', target: `config.json: ${place}`, reason, hint })
  }
  const lsm = 'Tare sets no labels of security modules yet'
  refuse('process.apparmorProfile', (process?.apparmorProfile ?? '') !== '', lsm)
  refuse('process.selinuxLabel', (process?.selinuxLabel ?? '') !== '', lsm)
  refuse('linux.mountLabel', (linux?.mountLabel ?? '') !== '', lsm)
  refuse('linux.seccomp.listenerPath', (linux?.seccomp?.listenerPath ?? '') !== '', 'Tare sends no listener yet')
  refuse('linux.intelRdt', linux?.intelRdt !== undefined, 'Tare knows no resctrl yet')
  refuse('linux.memoryPolicy', linux?.memoryPolicy !== undefined, 'Tare sets no memory policy yet')
  refuse('linux.netDevices', Object.keys(linux?.netDevices ?? {}).length > 0, 'Tare moves no interfaces yet')
  refuse('process.scheduler', process?.scheduler !== undefined, 'Tare sets no scheduler yet')
  refuse('process.ioPriority', process?.ioPriority !== undefined, 'Tare sets no I/O priority yet')
  refuse('process.execCPUAffinity', process?.execCPUAffinity !== undefined, 'Tare sets no affinity yet')
}
