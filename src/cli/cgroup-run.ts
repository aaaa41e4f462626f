import type { CgroupUse } from '../index.ts'
import { cgroupUse, formatBytes, formatDuration, newCgroup, setCgroup } from '../index.ts'
import type { Cgroup } from '../linux/index.ts'
import { TareError, findCgroup, readCgroupLayout } from '../linux/index.ts'
import { GROUP_NAMES, SETTINGS, SETTINGS_TEXT } from './cgroup-text.ts'
import type { Command } from './command.ts'
import { command } from './command.ts'
import { exitStatusOf } from './exit-status.ts'
import { runInForeground } from './foreground.ts'
import { openLine } from './report-line.ts'
import { formatTable } from './table.ts'
import { UsageError } from './usage-error.ts'

interface Words {
  readonly group: string | undefined
  readonly settings: readonly string[]
  readonly program: readonly string[]
}

/** `[GROUP] [KEY=VALUE…] [--] COMMAND…`: as in env(1), words with "=" before the command are settings. */
export const splitRunWords = (operands: readonly string[], isNew: boolean): Words => {
  const [group, rest] = isNew ? [undefined, operands] : [operands[0], operands.slice(1)]
  const end = rest.findIndex((word) => !/^[a-z][\w.-]*=/.test(word))
  const settings = end < 0 ? rest : rest.slice(0, end)
  const words = end < 0 ? [] : rest.slice(end)
  const program = words[0] === '--' ? words.slice(1) : words
  if (program.length > 0) return { group, settings, program }
  const hint = isNew ? 'Write tare cgroup run --new memory=64MiB -- make.' : 'Write tare cgroup run /web -- make.'
  throw new UsageError('cannot use tare cgroup run: COMMAND is missing', hint)
}

/** Lines for people: what was used, and what the limits did. */
const useText = ({ cpu, memory, io, pids }: CgroupUse, wallTime: number): string => {
  const rows: (readonly string[])[] = [['time', formatDuration(wallTime)]]
  if (cpu !== undefined) {
    const { usage, user, system, throttled = 0 } = cpu
    const [all, programs, kernel, held] = [usage, user, system, throttled].map((time) => formatDuration(time / 1000))
    rows.push(['processor time', `${all} (programs ${programs}, kernel ${kernel})`])
    if (throttled > 0) rows.push(['held back', `${held} by the limit on processor time`])
  }
  if (memory?.peak !== undefined) rows.push(['memory, at most', formatBytes(memory.peak)])
  if (memory !== undefined && memory.oomKills > 0) rows.push(['killed', `${memory.oomKills}, for want of memory`])
  for (const { major, minor, readBytes, writeBytes } of io ?? [])
    rows.push([`disk ${major}:${minor}`, `${formatBytes(readBytes)} read, ${formatBytes(writeBytes)} written`])
  if (pids?.peak !== undefined) rows.push(['processes, at most', String(pids.peak)])
  if ((pids?.refused ?? 0) > 0) rows.push(['starts refused', String(pids?.refused)])
  return formatTable(rows)
}

/**
 * Puts off an end by ^C until something is done: whoever ran the program ends by the same signal that has ended it, and
 * leaves no time for that.
 */
const holdInterrupt = (): { readonly forget: () => void; readonly release: () => void } => {
  let heard = false
  const hear = (): void => {
    heard = true
  }
  process.on('SIGINT', hear)
  return {
    forget: () => {
      heard = false
    },
    release: () => {
      process.off('SIGINT', hear)
      if (heard) process.kill(process.pid, 'SIGINT')
    },
  }
}

const removeWithAll = async (cgroup: Cgroup): Promise<void> => {
  await cgroup.kill()
  await cgroup.remove()
}

export const cgroupRun: Command = command({
  usage: [
    '[OPTION]... GROUP [KEY=VALUE...] [--] COMMAND [ARGUMENT...]',
    '[OPTION]... --new [KEY=VALUE...] [--] COMMAND [ARGUMENT...]',
  ],
  description:
    'Runs a program in a control group, with nothing else changed: it has your terminal, your user, your files. It is in the group from its first instruction on, and so is all that it starts.\n\n' +
    'With --new, the group is made for it and removed when the program has ended; what it has left running there is killed then. In a GROUP that is there already, settings stay as they are set.\n\n' +
    `${GROUP_NAMES}\n\n${SETTINGS_TEXT}`,
  options: [
    { long: 'new', short: 'n', description: 'Makes a group for it, and removes it at the end.' },
    {
      long: 'keep',
      description: 'With --new: leaves the group, and what still runs in it, and says what it is called.',
    },
    {
      long: 'usage',
      short: 'u',
      description: 'Says at the end, on standard error, what the group has used meanwhile.',
    },
    {
      long: 'report',
      argument: 'FILE',
      description:
        'Writes that as a line of JSON to a file, or with "-" to standard error: { group, exitStatus, wallTime, cpu, memory, io, pids }. Processor times are in microseconds, wallTime in milliseconds, sizes in bytes.',
    },
  ],
  operands: [
    { name: 'GROUP', optional: true },
    { name: 'COMMAND', optional: true },
    { name: 'ARGUMENT', optional: true, repeatable: true },
  ],
  stopAtOperand: true,
  lists: [SETTINGS],
  examples: [
    {
      description: 'a build on half a processor and 512 MiB of memory, and what it took',
      command: 'tare cgroup run --new --usage cpus=0.5 memory=512MiB -- make',
    },
    { description: 'a shell in a group', command: 'tare cgroup run /web bash' },
    {
      description: 'a copy that leaves the disk to others',
      command: 'tare cgroup run -n write-bps=/srv:10MiB -- cp -r /data /srv',
    },
  ],
  exitStatus: [
    ['N', "The command's own."],
    ['126', 'The command was found, and cannot be executed.'],
    ['127', 'The command was not found.'],
    ['128+N', 'Signal N killed it.'],
  ],
  run: async ({ options, operands, terminal }) => {
    const isNew = options.new === true
    const { group, settings, program } = splitRunWords(operands, isNew)
    if (options.keep === true && !isNew) throw new UsageError('cannot use --keep: GROUP stays anyway', 'Leave it out.')
    const report = openLine(options.report)
    const interrupt = holdInterrupt()
    try {
      const cgroup = isNew
        ? newCgroup(settings)
        : settings.length > 0
          ? setCgroup(group ?? '', settings)
          : findCgroup(readCgroupLayout(), group ?? '')
      const before = cgroup.stats()
      const start = performance.now()
      try {
        const exitStatus = await runInForeground(program, { cgroups: Object.values(cgroup.paths) })
        interrupt.forget()
        const wallTime = Math.round((performance.now() - start) * 10) / 10
        const use = cgroupUse(cgroup.stats(), before)
        if ((use.memory?.oomKills ?? 0) > 0)
          terminal.warn('tare: the kernel killed a process: the limit on memory was reached')
        if (options.usage === true) terminal.warn(useText(use, wallTime))
        report({ group: cgroup.name, exitStatus, wallTime, ...use })
        return exitStatus
      } finally {
        if (isNew && options.keep !== true) await removeWithAll(cgroup)
        else if (isNew) terminal.warn(`tare: the group is ${cgroup.name}`)
      }
    } catch (error) {
      const code = error instanceof TareError ? error.code : null
      const message = error instanceof Error ? error.message : String(error)
      report({ exitStatus: exitStatusOf(error), error: { code, message } })
      throw error
    } finally {
      interrupt.release()
    }
  },
})
