// `npm run bench [-- --quick] [--write] [PART…]`
import { existsSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { BOOTSTRAP_HOW, BOOT_HOW, measureBoot, measureBootstrap } from './boot.ts'
import { CALLS_HOW, countCalls } from './calls.ts'
import { CLOSURES_HOW, measureClosures } from './closures.ts'
import { COMMANDS_HOW, measureCommands } from './commands.ts'
import type { Finding } from './document.ts'
import { writeDocument } from './document.ts'
import { describeMachine } from './machine.ts'
import { MEMORY_HOW, measureMemory } from './memory.ts'
import { OCI_HOW, measureOci } from './oci.ts'
import { RATE_HOW, measureRate } from './rate.ts'
import type { PartReport } from './report.ts'
import { missed, plainTable } from './report.ts'
import { HOLD_HOW, START_HOW, measureHold, measureStart } from './start.ts'
import type { Tools } from './tools.ts'
import { withTools } from './tools.ts'
import { VIEWS_HOW, measureViews } from './views.ts'

interface Part {
  readonly name: string
  readonly title: string
  readonly how: string
  readonly measure: (tools: Tools) => Promise<PartReport>
}

const PARTS: readonly Part[] = [
  { name: 'start', title: 'Start to exit', how: START_HOW, measure: measureStart },
  { name: 'hold', title: 'The event loop', how: HOLD_HOW, measure: measureHold },
  { name: 'rate', title: 'Containers a second', how: RATE_HOW, measure: measureRate },
  { name: 'commands', title: 'Whole commands', how: COMMANDS_HOW, measure: measureCommands },
  { name: 'oci', title: 'An OCI runtime', how: OCI_HOW, measure: measureOci },
  { name: 'boot', title: 'A system from its start', how: BOOT_HOW, measure: measureBoot },
  { name: 'bootstrap', title: 'A system from packages', how: BOOTSTRAP_HOW, measure: measureBootstrap },
  { name: 'views', title: 'Views of a full host', how: VIEWS_HOW, measure: measureViews },
  { name: 'calls', title: 'System calls', how: CALLS_HOW, measure: countCalls },
  { name: 'memory', title: 'Memory', how: MEMORY_HOW, measure: measureMemory },
  { name: 'closures', title: 'Roots from closures', how: CLOSURES_HOW, measure: measureClosures },
]

const say = (text: string): void => void process.stdout.write(`${text}\n`)

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: 'boolean', default: false }, write: { type: 'boolean', default: false } },
})
const unknown = positionals.filter((word) => !PARTS.some(({ name }) => name === word))
const docs = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'docs')

if (unknown.length > 0 || (values.write && (values.quick || positionals.length > 0)) || process.getuid?.() !== 0) {
  say(`usage, as root: npm run bench -- [--quick] [${PARTS.map(({ name }) => name).join('|')}]…`)
  say('                npm run bench -- --write    all parts, and docs/benchmarks.md anew')
  process.exitCode = 2
} else {
  const machine = describeMachine()
  for (const { name, value } of machine) say(`${name}: ${value}`)
  const chosen = positionals.length === 0 ? PARTS : PARTS.filter(({ name }) => positionals.includes(name))
  const findings: Finding[] = []
  await withTools(values.quick, async (tools) => {
    for (const part of chosen) {
      const began = performance.now()
      const report = await part.measure(tools)
      findings.push({ title: part.title, how: part.how, report })
      say(`\n${part.title} (${part.name}, ${((performance.now() - began) / 1000).toFixed(0)} s)\n`)
      say(plainTable(report.rows))
      for (const remark of report.remarks) say(`  ${remark}`)
    }
  })
  const misses = findings.reduce((sum, { report }) => sum + missed(report.rows), 0)
  say(`\n${misses === 0 ? 'all targets are met' : `${misses} targets are missed`}`)
  if (values.write && existsSync(docs)) writeFileSync(join(docs, 'benchmarks.md'), writeDocument(machine, findings))
}
