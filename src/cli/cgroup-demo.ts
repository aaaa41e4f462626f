import { statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { InputError } from '../index.ts'
import type { CgroupLayout } from '../linux/index.ts'
import { blockDeviceOf, cgroupParent, hierarchyOf, readCgroupLayout } from '../linux/index.ts'
import { CPU } from './cgroup-demo-cpu.ts'
import { DISK } from './cgroup-demo-disk.ts'
import { FREEZER } from './cgroup-demo-freezer.ts'
import { MEMORY } from './cgroup-demo-memory.ts'
import { PIDS } from './cgroup-demo-pids.ts'
import type { Chapter, Outcome } from './cgroup-demo-stage.ts'
import { Skipped, Stage } from './cgroup-demo-stage.ts'
import type { Command } from './command.ts'
import { command } from './command.ts'
import { jsonText } from './json.ts'
import { hasBlocks, plot } from './plot.ts'
import type { Terminal } from './terminal.ts'
import { wrap } from './text.ts'
import { untilSignal } from './until-signal.ts'
import { wrongValue } from './wrong-value.ts'

const CHAPTERS: readonly Chapter[] = [CPU, MEMORY, DISK, PIDS, FREEZER]

const PHASE_SECONDS = 2.5
const QUICK_SECONDS = 0.5
const INDENT = 3
const ROWS = 6
const WIDEST = 90

/** What became of a chapter; without an outcome it was skipped, and why. */
interface Played {
  readonly chapter: Chapter
  readonly outcome: Outcome | undefined
  readonly skipped: string | undefined
}

const missingController = (layout: CgroupLayout, { controllers }: Chapter): string | undefined => {
  const missing = controllers.find((controller) => hierarchyOf(layout, controller) === undefined)
  return missing === undefined ? undefined : `this host has no ${missing} controller mounted`
}

const play = async (chapter: Chapter, stage: Stage): Promise<Played> => {
  try {
    const missing = missingController(stage.layout, chapter)
    if (missing !== undefined) return { chapter, outcome: undefined, skipped: missing }
    return { chapter, outcome: await chapter.run(stage), skipped: undefined }
  } catch (error) {
    if (error instanceof Skipped) return { chapter, outcome: undefined, skipped: error.message }
    throw error
  } finally {
    await stage.clear()
  }
}

/** What is said before a chapter is played. */
const introduction = ({ title, text, commands }: Chapter, number: number, { style, columns }: Terminal): string => {
  const lines = commands.map((line) => `${' '.repeat(INDENT)}${style.dim('$')} ${style.bold(line)}`)
  const width = Math.min(columns, WIDEST)
  return `${style.bold(`${number}. ${title}`)}\n${wrap(text, width, INDENT)}\n\n${lines.join('\n')}\n\n`
}

const conclusion = ({ outcome, skipped }: Played, { style, columns }: Terminal): string => {
  const width = Math.min(columns, WIDEST)
  if (outcome === undefined) return `${wrap(`Skipped: ${skipped}.`, width, INDENT)}\n`
  const { phases, format, findings } = outcome
  const blocks = hasBlocks(process.env)
  const bars = plot(phases, { columns: width - INDENT, rows: ROWS, format, blocks, style })
  const picture = bars.map((line) => `${' '.repeat(INDENT)}${line}\n`).join('')
  return `${picture}\n${wrap(findings.join(' '), width, INDENT)}\n`
}

const toJson = ({ chapter: { id, title }, outcome, skipped }: Played): object => ({
  id,
  title,
  skipped: skipped ?? null,
  phases: outcome?.phases.map(({ name, limit, figures, values }) => ({ name, limit, figures, values })) ?? [],
})

/** The first directory of these that is on a disk; else the first. */
const scratchOf = (asked: string | undefined): string => {
  if (asked !== undefined) {
    if (statSync(asked, { throwIfNoEntry: false })?.isDirectory() === true) return asked
    throw wrongValue('scratch', asked, 'there is no such directory')
  }
  const candidates = [tmpdir(), '/var/tmp', process.cwd()]
  const onDisk = candidates.find((directory) => {
    try {
      return blockDeviceOf(directory).major > 0
    } catch (error) {
      if (error instanceof InputError) return false
      throw error
    }
  })
  return onDisk ?? tmpdir()
}

export const cgroupDemo: Command = command({
  description:
    'Shows in half a minute what control groups do, each thing measured before and after: a hog held to a share of the ' +
    'processors, a memory hog stopped at its limit, a disk writer slowed down, a fork bomb contained, a group frozen and ' +
    'thawed; with a plot, and the commands that a person would type for it.\n\n' +
    'The loads are small scripts of sh(1) in groups made for them. They are bounded by themselves, too, and all is taken ' +
    'away at the end, also after ^C. What this host can not do is skipped, with the reason.',
  options: [
    { long: 'quick', description: 'Takes a few seconds only; the figures are rougher then.' },
    {
      long: 'only',
      argument: 'CHAPTER',
      repeatable: true,
      choices: CHAPTERS.map(({ id }) => id),
      description: 'Plays this chapter alone.',
    },
    {
      long: 'scratch',
      argument: 'DIR',
      description: 'Writes the files of the disk chapter there; by default to a directory for temporary files.',
    },
    { long: 'json', description: 'Prints JSON: { chapters: [{ id, title, skipped, phases }] }.' },
  ],
  operands: [],
  examples: [
    { description: 'all of it', command: 'tare cgroup demo' },
    { description: 'the disk that /srv is on', command: 'tare cgroup demo --only=disk --scratch=/srv' },
    {
      description: 'how often the kernel held the hog back',
      command: `tare cgroup demo --json --only=cpu | jq '.chapters[0].phases[1].figures.throttledPeriods'`,
    },
  ],
  exitStatus: [['128+N', 'Signal N ended it (130: ^C).']],
  run: async ({ options, terminal }) => {
    const layout = readCgroupLayout()
    const chapters = CHAPTERS.filter(({ id }) => options.only.length === 0 || options.only.includes(id))
    const controllers = chapters
      .filter((chapter) => missingController(layout, chapter) === undefined)
      .flatMap((chapter) => chapter.controllers)
    // Whether this user may make groups at all is said before anything is started.
    const parent = cgroupParent(layout, controllers)
    const scratch = scratchOf(options.scratch)
    await Stage.clearStale(layout, parent)
    const { signal, status, release } = untilSignal()
    const seconds = options.quick === true ? QUICK_SECONDS : PHASE_SECONDS
    const stage = new Stage(layout, scratch, seconds, signal)
    const played: Played[] = []
    try {
      for (const [index, chapter] of chapters.entries()) {
        if (options.json !== true) {
          terminal.print(`${index === 0 ? '' : '\n'}${introduction(chapter, index + 1, terminal)}`)
        }
        const done = await play(chapter, stage)
        played.push(done)
        if (options.json !== true) terminal.print(conclusion(done, terminal))
      }
      if (options.json === true) {
        terminal.print(jsonText({ chapters: played.map(toJson) }))
      }
      return 0
    } catch (error) {
      if (signal.aborted) return status()
      throw error
    } finally {
      release()
    }
  },
})
