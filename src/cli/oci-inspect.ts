import { containerProcesses, containerState, listContainers } from '../index.ts'
import { readProcessStat } from '../linux/index.ts'
import type { OciVerb } from './oci-globals.ts'
import { ociVerb } from './oci-globals.ts'
import { printable } from './text.ts'

const IDS = [{ name: 'ID' }] as const

const json = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`

/** Columns with two spaces between them. */
const tableOf = (rows: readonly (readonly string[])[]): string => {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, i) => cell.padEnd(widths[i] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('')
}

export const ociState: OciVerb = ociVerb({
  description:
    'Prints the state of a container as JSON: that of the runtime specification, and its root file system and when it was created.',
  options: [],
  operands: IDS,
  examples: [{ description: 'what a container does', command: 'tare oci state box' }],
  run: ({ operands: [id = ''], terminal }, { root }) => {
    terminal.print(json(containerState(root, id)))
    return 0
  },
})

export const ociList: OciVerb = ociVerb({
  description: 'Lists the containers of this root.',
  options: [
    { long: 'quiet', short: 'q', description: 'Their ids only.' },
    { long: 'format', short: 'f', argument: 'FORMAT', choices: ['table', 'json'], description: 'A table, or JSON.' },
  ],
  operands: [],
  examples: [{ description: 'all containers', command: 'tare oci list' }],
  run: ({ options, terminal }, { root }) => {
    const containers = listContainers(root)
    if (options.quiet === true) terminal.print(containers.map(({ id }) => `${id}\n`).join(''))
    else if (options.format === 'json') terminal.print(json(containers))
    else {
      const rows = containers.map(({ id, pid, status, bundle, created }) => [id, `${pid}`, status, bundle, created])
      terminal.print(tableOf([['ID', 'PID', 'STATUS', 'BUNDLE', 'CREATED'], ...rows.map((row) => row.map(printable))]))
    }
    return 0
  },
})

export const ociPs: OciVerb = ociVerb({
  description: 'Lists the processes of a container by their ids on the host.',
  options: [
    { long: 'format', short: 'f', argument: 'FORMAT', choices: ['table', 'json'], description: 'A table, or JSON.' },
  ],
  operands: IDS,
  examples: [{ description: 'what runs in a container', command: 'tare oci ps box' }],
  run: ({ options, operands: [id = ''], terminal }, { root }) => {
    const pids = containerProcesses(root, id)
    if (options.format === 'json') terminal.print(`${JSON.stringify(pids)}\n`)
    else {
      const rows = pids.map((pid) => {
        const { ppid, state, comm } = readProcessStat(pid)
        return [`${pid}`, `${ppid}`, state, printable(comm)]
      })
      terminal.print(tableOf([['PID', 'PPID', 'STATE', 'COMMAND'], ...rows]))
    }
    return 0
  },
})
