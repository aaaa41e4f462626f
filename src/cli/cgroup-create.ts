import type { Cgroup, GroupFile } from '../linux/index.ts'
import { makeCgroup } from '../index.ts'
import { groupFiles } from '../linux/index.ts'
import { GROUP_NAMES, SETTINGS, SETTINGS_TEXT } from './cgroup-text.ts'
import type { Command } from './command.ts'
import { command } from './command.ts'
import { jsonText } from './json.ts'
import { formatTable } from './table.ts'
import type { Terminal } from './terminal.ts'
import { displayWidth, padTo, printable, wrap } from './text.ts'
import { wrongValue } from './wrong-value.ts'

const access = ({ readable, writable }: GroupFile): string => `${readable ? 'r' : '-'}${writable ? 'w' : '-'}`

/** What is left for a sentence at least, in cells. */
const NARROWEST = 24

/** The files of a controller, each name once: version 1 has some in each of its hierarchies. Sentences are wrapped. */
const section = (title: string, files: readonly GroupFile[], { lineWidth, style }: Terminal): string => {
  const once = [...new Map(files.map((file) => [file.file, file])).values()]
  const width = Math.max(...once.map(({ file }) => displayWidth(file)))
  const indent = width + 10
  const room = Math.max(lineWidth ?? Number.POSITIVE_INFINITY, indent + NARROWEST)
  const lines = once.map((file) => {
    const words = wrap(file.known?.description ?? '', room, indent).trimStart()
    return `  ${padTo(printable(file.file), width)}   ${access(file)}   ${words}`.trimEnd()
  })
  return `${style.bold(title)}\n${lines.join('\n')}\n`
}

const filesText = (files: readonly GroupFile[], terminal: Terminal): string => {
  const controllers = [...new Set(files.map(({ controller }) => controller))]
  const order = [...controllers.filter((name) => name === 'cgroup'), ...controllers.filter((name) => name !== 'cgroup')]
  return order
    .map((name) =>
      section(
        name === 'cgroup' ? 'every group' : name,
        files.filter(({ controller }) => controller === name),
        terminal,
      ),
    )
    .join('')
}

const report = (cgroup: Cgroup, terminal: Terminal): void => {
  const directories = Object.entries(cgroup.paths).map(([hierarchy, directory]) => [`  ${hierarchy}`, directory])
  const { bold } = terminal.style
  terminal.print(`${bold(`made ${cgroup.name}`)}\n${formatTable(directories, [], terminal.lineWidth)}`)
  terminal.print(`\n${bold('The kernel has put these files there')}\n${filesText(groupFiles(cgroup), terminal)}`)
}

const toJson = (cgroup: Cgroup): string => {
  const files = groupFiles(cgroup).map(({ file, controller, path, readable, writable, known }) => ({
    file,
    controller,
    path,
    readable,
    writable,
    key: known?.key ?? null,
    description: known?.description ?? null,
  }))
  return jsonText({ name: cgroup.name, directories: cgroup.paths, files })
}

export const cgroupCreate: Command = command({
  description:
    'Makes a control group, with limits if some are given, and shows the files that the kernel has put there, controller by controller: which can be read (r) and written (w), and what each is. If anything fails nothing is left of it.\n\n' +
    'On cgroup version 1 it is made in all hierarchies, on version 2 with all controllers that the group above can give it.\n\n' +
    `${GROUP_NAMES}\n\n${SETTINGS_TEXT}`,
  options: [
    {
      long: 'controllers',
      short: 'c',
      argument: 'LIST',
      description:
        'Only these controllers, with commas between them: cpu, cpuacct, cpuset, memory, io, pids, devices, freezer, net_cls, net_prio, hugetlb, rdma, misc, perf_event; "unified" is a group of version 2 as such.',
    },
    { long: 'quiet', short: 'q', description: 'Prints nothing.' },
    { long: 'json', description: 'Prints JSON: { name, directories, files }.' },
  ],
  operands: [{ name: 'GROUP' }, { name: 'KEY=VALUE', optional: true, repeatable: true }],
  lists: [SETTINGS],
  examples: [
    { description: 'a group, and what is in it', command: 'tare cgroup create /web' },
    {
      description: 'half a processor, 64 MiB of memory, 100 processes',
      command: 'tare cgroup create /web cpus=0.5 memory=64MiB pids=100',
    },
    { description: 'with the memory controller alone', command: 'tare cgroup create -c memory /web' },
  ],
  run: async ({ options, operands, terminal }) => {
    const [name = '', ...settings] = operands
    const controllers = options.controllers?.split(',').map((word) => word.trim())
    if (controllers?.includes('') === true)
      throw wrongValue('controllers', options.controllers ?? '', 'a name is missing', 'Write --controllers=cpu,memory.')
    const cgroup = makeCgroup(name, controllers === undefined ? { settings } : { settings, controllers })
    if (options.json === true) terminal.print(toJson(cgroup))
    else if (options.quiet !== true) report(cgroup, terminal)
    return 0
  },
})
