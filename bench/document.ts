import type { Fact } from './machine.ts'
import type { PartReport } from './report.ts'
import { markdownTable, missed } from './report.ts'

/** A part of the benchmark with what it found. */
export interface Finding {
  readonly title: string
  readonly how: string
  readonly report: PartReport
}

const INTRODUCTION = `# Benchmarks

This page is written by \`npm run bench -- --write\`; \`npm run bench\` prints the same and writes nothing.

What counts are the **ratios**: each is one median over another, of samples that were taken in turn on one machine, so
that whatever the machine was doing met both. Times in milliseconds only say what kind of machine it was; behind each
median stands between which values the middle half of the samples lies. A target that is missed stays in the table.`

const REMARKS = `## To be read with care

- A container that has ended goes on costing: the kernel takes mounts and network namespaces apart after the fact, in
  threads of its own. With few processors that work meets whatever is measured next. Samples are taken in random order
  with a pause between, so that it meets all measures alike; with containers one after the other without any pause
  ("a second") it is fully in the figures.
- \`run()\` sets up eight file systems and eight namespaces, and reads and checks its options anew each time: nothing is
  kept from one container to the next but the compiled seccomp filter. \`spawn()\` does none of that. That the one can be
  faster than the other is because libuv's spawn forks: it copies page tables, which costs the more the bigger the heap.
- The floor isn't the fastest container there can be. It is the same container, made by the same calls; a container with
  fewer walls takes fewer calls.
- crun and runc are given what \`runc spec\` proposes, which has no user namespace and no seccomp filter, and makes a
  cgroup, which the default container of \`run()\` doesn't have. Neither is the other's work.`

/** docs/benchmarks.md */
export const writeDocument = (machine: readonly Fact[], findings: readonly Finding[]): string => {
  const misses = findings.reduce((sum, { report }) => sum + missed(report.rows), 0)
  const facts = machine.map(({ name, value }) => `- ${name}: ${value}`).join('\n')
  const parts = findings.map(({ title, how, report }) => {
    const remarks = report.remarks.map((remark) => `- ${remark}`).join('\n')
    const table = report.rows.length === 0 ? '' : markdownTable(report.rows)
    return [`## ${title}`, how, table, remarks].filter((text) => text !== '').join('\n\n')
  })
  const summary = misses === 0 ? 'All targets are met.' : `Missed targets: ${misses}.`
  return `${[INTRODUCTION, `## The machine\n\n${facts}\n\n${summary}`, ...parts, REMARKS].join('\n\n')}\n`
}
