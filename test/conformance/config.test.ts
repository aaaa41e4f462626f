// What config.md of the runtime specification demands, hooks excepted.
import { mountCases } from './cases/mounts.ts'
import { processCases } from './cases/process.ts'
import { rootCases } from './cases/root.ts'
import { terminalCases } from './cases/terminal.ts'
import { tryCases } from './try-cases.ts'

await tryCases([...rootCases, ...processCases, ...terminalCases, ...mountCases])
