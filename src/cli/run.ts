import { run as runProgram } from '../index.ts'
import { streamOptions } from './attach.ts'
import type { Command } from './command.ts'
import { command } from './command.ts'
import { followProgram } from './follow-program.ts'
import { noteReach } from './network-notice.ts'
import { RUN_OPTIONS } from './run-options.ts'
import { openReport } from './run-report.ts'
import { HOST_SOURCE } from './run-source.ts'
import { toRunOptions } from './to-run-options.ts'

export const run: Command = command({
  usage: ['[OPTION]... [--] COMMAND [ARGUMENT...]'],
  description:
    'Runs a command in a container of its own, and waits for its end. Nothing is left of the container then. It needs no root and no daemon.\n\n' +
    'All walls are up unless an option takes one down: namespaces of its own, few capabilities, no way to gain more, a filter of system calls, no network, and nothing of the host to be seen but its programs and libraries, read-only. Root in the container has no power outside.\n\n' +
    'Signals that tare gets (INT, TERM, HUP, QUIT, USR1, USR2) go to the program. If tare is killed, so is everything in the container.',
  options: RUN_OPTIONS,
  operands: [{ name: 'COMMAND' }, { name: 'ARGUMENT', optional: true, repeatable: true }],
  stopAtOperand: true,
  examples: [
    { description: 'a shell', command: 'tare run -it sh' },
    {
      description: 'a script that may read this directory and no more, for five seconds at most',
      command: 'tare run --timeout=5s -m 256m --pids-limit=64 -v .:/work:ro -w /work python3 job.py',
    },
    { description: 'a look at what an installation would change', command: 'tare run --rootfs=host -it bash' },
    { description: 'a root file system of your own', command: 'tare run --rootfs=./debian --overlay -it bash' },
    { description: 'a filter', command: 'echo hello | tare run -i tr a-z A-Z' },
  ],
  exitStatus: [
    ['N', "The command's own."],
    ['126', 'The command was found, and cannot be executed.'],
    ['127', 'The command was not found.'],
    ['128+N', 'Signal N killed it; 137 also when its time was up.'],
  ],
  run: async ({ options, operands, terminal }) => {
    const wanted = { interactive: options.interactive === true, tty: options.tty === true }
    const asked = toRunOptions(options, HOST_SOURCE)
    const report = openReport(options.report)
    const program = runProgram(operands, { ...asked, ...streamOptions(wanted) })
    noteReach(program, terminal)
    return followProgram(program, { wanted, asked, report, terminal })
  },
})
