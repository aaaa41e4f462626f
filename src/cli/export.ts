import type { ExportOptions } from '../index.ts'
import { COMPRESSIONS, EXPORT_FORMATS, exportArchive, exportSystem, findMachine, formatBytes } from '../index.ts'
import { isTerminal } from '../linux/index.ts'
import type { Command } from './command.ts'
import { command } from './command.ts'
import { reportMade, tookText } from './made.ts'
import { progressLine } from './progress-line.ts'
import { printable } from './text.ts'
import { untilDone } from './until-signal.ts'
import { UsageError } from './usage-error.ts'
import { wordOf } from './word-of.ts'
import { writeOutput } from './write-output.ts'

export const exportCommand: Command = command({
  description:
    'Writes the system of a machine to a file: an archive that tar(1) reads, or an OCI image that skopeo, umoci, podman and others read. Owners are numbers, as root of the system sees them, whoever they are outside; hard links, extended attributes, file capabilities and access lists are kept.\n\n' +
    'The machine must be switched off. What is written is there as a whole, or not at all.',
  options: [
    {
      long: 'output',
      short: 'o',
      argument: 'FILE',
      description:
        'Where it is written: a file, with --format=oci a directory. By default, and by "-", standard output.',
    },
    {
      long: 'format',
      argument: 'FORMAT',
      choices: EXPORT_FORMATS,
      description:
        'tar, the default: an archive (PAX). oci: an image layout in a directory. oci-archive: the same in one file.',
    },
    {
      long: 'compress',
      argument: 'HOW',
      choices: COMPRESSIONS,
      description:
        'By default what the name ends in says it (.gz, .tgz, .zst), and gzip for images. zstd takes the program zstd.',
    },
    { long: 'tag', argument: 'TAG', description: 'The name of the image in its layout. By default latest.' },
    { long: 'quiet', short: 'q', description: 'Prints nothing if all goes well.' },
    { long: 'json', description: 'Prints JSON: { path, format, compression, size, digest, warnings }.' },
  ],
  operands: [{ name: 'MACHINE' }],
  examples: [
    { description: 'a compressed archive', command: 'tare export -o box.tar.zst ./box' },
    { description: 'to another host', command: 'tare export web | ssh host tare import --name web -' },
    {
      description: 'an image, and into a registry with it',
      command:
        'tare export --format oci -o box.oci ./box && skopeo copy oci:box.oci:latest docker://registry.example/box',
    },
  ],
  exitStatus: [['128+N', 'Signal N ended it; nothing is left.']],
  run: async ({ options, operands: [word = ''], terminal }) => {
    const output = options.output === '-' ? undefined : options.output
    const compression = wordOf(options.compress, COMPRESSIONS)
    const format = wordOf(options.format, EXPORT_FORMATS)
    const directory = findMachine(word)
    return untilDone(async (signal) => {
      if (output === undefined) {
        if (format !== undefined && format !== 'tar')
          throw new UsageError(`cannot write ${format} to standard output: it is no stream`, 'Give --output.')
        if (options.tag !== undefined)
          throw new UsageError('cannot use --tag: an archive has no name in it', 'Images have: --format=oci.')
        if (options.json === true)
          throw new UsageError('cannot use --json: standard output is the archive', 'Give --output.')
        if (isTerminal(1))
          throw new UsageError(
            'cannot write an archive to a terminal',
            'Give --output, or pass it on: tare export MACHINE | …',
          )
        const left = (what: string, path: string): void => terminal.warn(`tare: ${what}: ${printable(path)}`)
        await writeOutput(exportArchive(directory, { compression, signal, onLeftOut: left }))
        return 0
      }
      const line = progressLine(terminal, options.quiet === true || options.json === true)
      const began = performance.now()
      const wanted: ExportOptions = {
        output,
        format,
        compression,
        tag: options.tag,
        signal,
        onProgress: ({ bytes }) => line.show(`writing ${formatBytes(bytes)}`),
      }
      const exported = await exportSystem(directory, wanted).finally(line.clear)
      const text = ({ path, size }: typeof exported): string =>
        `wrote ${path}: ${formatBytes(size)} in ${tookText(performance.now() - began)}`
      reportMade(exported, text, options, terminal)
      return 0
    })
  },
})
