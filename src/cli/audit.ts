import type { Verdict } from '../index.ts'
import { WALLS, WALL_TITLES, audit as auditProcess } from '../index.ts'
import { auditText } from './audit-text.ts'
import type { Command } from './command.ts'
import { command } from './command.ts'
import { jsonText } from './json.ts'
import { parsePid } from './pid.ts'

const STATUS: Readonly<Record<Verdict, number>> = { contained: 0, gaps: 1, 'not contained': 2 }

/** Below which status the verdict is no failure. */
const FAIL_ON = { weakness: 1, escape: 2, never: 3 } as const

type FailOn = keyof typeof FAIL_ON

const isFailOn = (text: string): text is FailOn => Object.hasOwn(FAIL_ON, text)

/** A number is a process; everything else a container's name or id: one of digits alone is hardly met with. */
const targetOf = (word: string): number | string => (/^\d{1,10}$/.test(word) ? parsePid(word) : word)

const isWall = (text: string): text is (typeof WALLS)[number] => WALLS.some((wall) => wall === text)

export const audit: Command = command({
  description:
    'Reads from the kernel what really contains a process, whoever started it, and says wall by wall what holds and what ' +
    'is open: how that leads out, and which option closes it. Nothing is run in the process, and nothing of it is opened ' +
    'or, without --filter, stopped.\n\n' +
    'STATE is "holds"; "note" for what is worth knowing; "weak" for what takes one more fault to get out, or lets it read, ' +
    'disturb or use up what belongs to the host; "open" for a way out; "unknown" where that can\'t be seen from outside, ' +
    'which never counts as holding.\n\n' +
    `The walls are ${WALLS.map((wall) => `${wall} (${WALL_TITLES[wall]})`).join(', ')}.\n\n` +
    'A container is given by the id of any process in it, or by the name or id that "tare ps" knows it by. Of one of ' +
    "Tare's own, the program is looked at, and not the PID 1 beside it; and it is held against what it was promised when it " +
    'was started: each promise is kept, broken, or unknown.\n\n' +
    'The host is what PID 1 sees here. Without the right to look into PID 1 it is what tare itself sees.',
  options: [
    {
      long: 'except',
      argument: 'WALL',
      repeatable: true,
      choices: WALLS,
      description: 'Leaves a wall out, also from the verdict: --except=limits.',
    },
    {
      long: 'fail-on',
      argument: 'SEVERITY',
      choices: ['weakness', 'escape', 'never'],
      description: 'From which severity on the exit status says so; weakness by default.',
    },
    {
      long: 'filter',
      description:
        'Reads the filter of system calls too, and says which dangerous calls it lets through. For that the process is ' +
        'stopped for a moment; a call in which it waits may end with EINTR. Takes root.',
    },
    { long: 'verbose', short: 'v', description: 'Shows notes, what is unknown and all that holds, too.' },
    {
      long: 'json',
      description:
        'Prints JSON: a list of { pid, name, command, verdict, findings, container }; a finding is { id, wall, state, severity, ' +
        'found, why, remedy }; container, for those of Tare, is { init, promises }, and a promise { wall, promised, found, kept }.',
    },
  ],
  operands: [{ name: 'PID|CONTAINER', isProcess: true, repeatable: true }],
  examples: [
    { description: 'what contains a process', command: 'tare audit 1234' },
    { description: 'all of it, with notes and what holds', command: 'tare audit -v 1234' },
    { description: 'a container of docker or podman, by its id as "tare ps" shows it', command: 'tare audit 4f5e1d0c' },
    { description: 'whether a script should go on', command: 'tare audit --fail-on=escape 1234 || exit 1' },
    {
      description: 'only what is open',
      command: `tare audit --json 1234 | jq -r '.[].findings[] | select(.state == "open").found'`,
    },
  ],
  exitStatus: [
    ['0', 'Contained, or nothing as grave as --fail-on says.'],
    ['1', 'Contained, with gaps: there are weaknesses.'],
    ['2', 'Not contained: there is a way out.'],
  ],
  run: async ({ options, operands, terminal }) => {
    const except = options.except.filter(isWall)
    const failOn = options['fail-on'] ?? 'weakness'
    const from = FAIL_ON[isFailOn(failOn) ? failOn : 'weakness']
    // All are read before one is shown: if one has ended, nothing is half said.
    const audits = operands
      .map(targetOf)
      .map((target) => auditProcess(target, { except, filter: options.filter === true }))
    if (options.json === true) terminal.print(jsonText(audits))
    else terminal.print(audits.map((each) => auditText(each, terminal, options.verbose === true)).join('\n'))
    const status = Math.max(...audits.map(({ verdict }) => STATUS[verdict]))
    return status >= from ? status : 0
  },
})
