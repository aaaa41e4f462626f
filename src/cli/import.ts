import { formatBytes, importSystem } from '../index.ts'
import { isTerminal } from '../linux/index.ts'
import type { Command } from './command.ts'
import { command } from './command.ts'
import { reportMade, tookText } from './made.ts'
import { machineOutput } from './machine-output.ts'
import { progressLine } from './progress-line.ts'
import { untilDone } from './until-signal.ts'
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
    const line = progressLine(terminal, options.quiet === true || options.json === true)
    const began = performance.now()
    return untilDone(async (signal) => {
      try {
        const imported = await importSystem(source === '-' ? process.stdin : source, {
          output,
          devices: options.devices,
          signal,
          onProgress: ({ bytes }) => line.show(`unpacking ${formatBytes(bytes)}`),
        }).finally(line.clear)
        const text = ({ path }: typeof imported): string => `made ${path} in ${tookText(performance.now() - began)}`
        reportMade(imported, text, options, terminal)
        return 0
      } finally {
        // Where it was given up before its end, who writes to it would keep us waiting under Bun.
        if (source === '-') process.stdin.destroy()
      }
    })
  },
})
