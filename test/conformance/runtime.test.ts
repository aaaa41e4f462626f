// What runtime.md of the runtime specification demands, and hooks.
import { hookCases } from './cases/hooks.ts'
import { lifecycleCases } from './cases/lifecycle.ts'
import { tryCases } from './try-cases.ts'

await tryCases([...hookCases, ...lifecycleCases])
