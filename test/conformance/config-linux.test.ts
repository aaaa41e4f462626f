// What config-linux.md of the runtime specification demands.
import { cgroupCases } from './cases/cgroups.ts'
import { deviceCases } from './cases/devices.ts'
import { linuxCases } from './cases/linux.ts'
import { namespaceCases } from './cases/namespaces.ts'
import { tryCases } from './try-cases.ts'

await tryCases([...namespaceCases, ...deviceCases, ...cgroupCases, ...linuxCases])
