import type { Process } from '../../oci/process.ts'
import type { Spec } from '../../oci/spec.ts'
import { InputError } from '../../linux/error.ts'

const LABELS = 'Tare sets no labels of security modules yet'

const refuse = (place: string, asked: boolean, reason: string): void => {
  if (asked) throw new InputError({ operation: 'use', target: place, reason, hint: 'Leave it out.' })
}

/** What a process may ask for and this runtime can't give. Throws {@link InputError}. */
export const refuseProcess = (process: Process, place = 'process'): void => {
  refuse(`${place}.apparmorProfile`, (process.apparmorProfile ?? '') !== '', LABELS)
  refuse(`${place}.selinuxLabel`, (process.selinuxLabel ?? '') !== '', LABELS)
  refuse(`${place}.execCPUAffinity`, process.execCPUAffinity !== undefined, 'Tare sets no affinity yet')
}

/** What a bundle may ask for and this runtime can't give: nothing of it is passed over in silence. */
export const refuseUnsupported = ({ process, linux }: Spec): void => {
  if (process !== undefined) refuseProcess(process, 'config.json: process')
  const place = 'config.json: linux'
  refuse(`${place}.mountLabel`, (linux?.mountLabel ?? '') !== '', LABELS)
  refuse(`${place}.seccomp.listenerPath`, (linux?.seccomp?.listenerPath ?? '') !== '', 'Tare sends no listener yet')
  refuse(`${place}.intelRdt`, linux?.intelRdt !== undefined, 'Tare knows no resctrl yet')
  refuse(`${place}.netDevices`, Object.keys(linux?.netDevices ?? {}).length > 0, 'Tare moves no interfaces yet')
}
