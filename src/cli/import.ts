import { formatBytes, formatDuration, importSystem } from '../index.ts'
import { isTerminal } from '../linux/index.ts'
import type { Command } from './command.ts'
import { command } from './command.ts'
import { EXIT_STATUS } from './exit-status.ts'
import { jsonText } from './json.ts'
import { machineOutput } from './machine-output.ts'
import { progressLine } from './progress-line.ts'
import { printable } from './text.ts'
import { untilSignal } from './until-signal.ts'
import { UsageError } from './usage-error.ts'

export const importCommand: Command = command({
  usage: ['[OPTION]... SOURCE DIR', '[OPTION]... --name=NAME SOURCE'],
  description:
    'Makes DIR with the system of an archive or of an image in it. SOURCE is a tar archive, compressed by gzip or zstd or not at all, or "-" for standard input; oci:PATH[:TAG] for an image in an image layout; oci-archive:FILE[:TAG] for one in an archive of that.\n\n' +
    'The files belong to whom the archive says, as root of the system sees it: as an ordinary user they get your subordinate ids. All layers of an image are applied; every digest is verified. A path in it that is absolute or leads upwards is refused.\n\n' +
    'It is made beside its place and put there when it is complete, so that there is all of it or nothing.',
  options: [
    {
      long: 'name',
      argument: 'NAME',
      description: 'Makes a machine of this name, instead of DIR, as "tare bootstrap" does.',
    },
    {
      long: 'devices',
      description:
        'Makes device nodes, too, which takes root. By default they are left out: containers have their own /dev.',
    },
    { long: 'quiet', short: 'q', description: 'Prints nothing if all goes well.' },
    { long: 'json', description: 'Prints JSON: { path, digest, layers, warnings }.' },
  ],
  operands: [{ name: 'SOURCE' }, { name: 'DIR', optional: true }],
  examples: [
    { description: 'an archive that "tare export" has written', command: 'tare import box.tar.zst ./box' },
    {
      description: 'a machine with a name, from another host',
      command: 'ssh host tare export web | tare import --name web -',
    },
    {
      description: 'an image from a registry',
      command: 'skopeo copy docker://debian:12 oci:debian.oci:12 && tare import oci:debian.oci:12 ./debian',
    },
  ],
  exitStatus: [['128+N', 'Signal N ended it; nothing is left.']],
  run: async ({ options, operands: [source = '', directory], terminal, name }) => {
    const output = machineOutput(name, directory, options.name)
    if (source === '-' && isTerminal(0))
      throw new UsageError(
        'cannot read an archive from a terminal',
        'Give a file, or pass one in: tare import - DIR < FILE',
      )
    const quiet = options.quiet === true || options.json === true
    const line = progressLine(terminal, quiet)
    const began = performance.now()
    const wait = untilSignal()
    const { signal } = wait
    try {
      const made = await importSystem(source === '-' ? process.stdin : source, {
        output,
        devices: options.devices,
        signal,
        onProgress: ({ bytes }) => line.show(`unpacking ${formatBytes(bytes)}`),
      }).finally(line.clear)
      for (const warning of made.warnings) terminal.warn(`tare: ${printable(warning)}`)
      if (options.json === true) terminal.print(jsonText(made))
      else if (!quiet) {
        const took = formatDuration(Math.round((performance.now() - began) / 100) * 100)
        terminal.print(`${printable(`made ${made.path} in ${took}`)}\n`)
      }
      return 0
    } catch (error) {
      if (signal.aborted && error === signal.reason) return wait.status() || EXIT_STATUS.failure
      throw error
    } finally {
      // Where it was given up before its end, who writes to it would keep us waiting under Bun.
      if (source === '-') process.stdin.destroy()
      wait.release()
    }
  },
})
