import type { Features } from '../../oci/features.ts'
import { features } from '../../oci/features.ts'
import { supportedSeccompFlags } from '../../linux/seccomp/flags.ts'

/** What this runtime can do, whatever the host can: `features` (runtime-spec, features.md). */
export const runtimeFeatures = (): Features =>
  features(
    {
      systemdCgroup: true,
      seccompNotify: true,
      apparmor: true,
      selinux: true,
      intelRdt: true,
      memoryPolicy: false,
      idmap: true,
      tmpcopyup: true,
      netDevices: true,
    },
    supportedSeccompFlags(),
  )
