import { bootstrap, BOOTSTRAP_VARIANTS } from '../index.ts'
import { madeText, progressText } from './bootstrap-text.ts'
import type { Command } from './command.ts'
import { command } from './command.ts'
import { reportMade } from './made.ts'
import { machineOutput } from './machine-output.ts'
import { progressLine } from './progress-line.ts'
import { untilDone } from './until-signal.ts'
import { UsageError } from './usage-error.ts'
import { wordOf } from './word-of.ts'

const cacheOf = (use: boolean | undefined, refresh: boolean | undefined): 'use' | 'refresh' | 'none' => {
  if (use === false && refresh === true)
    throw new UsageError('cannot use --refresh with --no-cache: there is nothing to renew', 'Leave one out.')
  if (use === false) return 'none'
  return refresh === true ? 'refresh' : 'use'
}

export const bootstrapCommand: Command = command({
  usage: ['[OPTION]... SYSTEM DIR', '[OPTION]... --name=NAME SYSTEM'],
  description:
    "Makes DIR with the system of a distribution in it, from the distribution's own packages, which are verified against the signatures of its archive. SYSTEM is a distribution and a release: debian:bookworm, debian:12, ubuntu:22.04, fedora:40.\n\n" +
    'A program of this host does the work: mmdebstrap, or for root debootstrap, for Debian and Ubuntu; dnf, for root, for Fedora. As root the system belongs to root. As an ordinary user it belongs to you and to your subordinate ids (subuid(5)), as in all your containers.\n\n' +
    'The system is made beside its place and put there when it is complete, so that there is all of it or nothing; an interrupted one leaves nothing. It is kept as a copy, too: the next one of the same kind takes about a second, as long as the archive has nothing newer.',
  options: [
    {
      long: 'name',
      argument: 'NAME',
      description:
        'Makes a machine of this name, instead of DIR: it lies in /var/lib/tare/machines, or for others than root in ~/.local/share/tare/machines, and "tare boot NAME" finds it.',
    },
    {
      long: 'include',
      argument: 'PACKAGES',
      repeatable: true,
      description: 'Installs these packages too, with all that they need: names with commas between.',
    },
    {
      long: 'variant',
      argument: 'WORD',
      choices: BOOTSTRAP_VARIANTS,
      description:
        'How much there is by itself. minbase, the default: what the distribution cannot be without, and what installs more. standard: what it installs on every machine.',
    },
    {
      long: 'arch',
      argument: 'NAME',
      description: "This machine's own, by any of its names, to be sure of it (amd64, arm64). Another is refused.",
    },
    {
      long: 'mirror',
      argument: 'URL',
      description:
        "Takes packages from there alone: http, https or file. By default from the distribution's own servers, with all updates. With it, releases that are not known here are taken too.",
      group: 'Where packages come from',
    },
    {
      long: 'keyring',
      argument: 'FILE',
      description: 'The public keys by one of which the archive must be signed.',
      group: 'Where packages come from',
    },
    {
      long: 'cache',
      description:
        'Takes a copy of a system of the same kind that was made before, and keeps one. It is the default; --no-cache does neither.',
      group: 'The copy for the next one',
    },
    {
      long: 'refresh',
      description: 'Makes the system anew, and keeps that one.',
      group: 'The copy for the next one',
    },
    {
      long: 'cache-dir',
      argument: 'DIR',
      description:
        'Where copies are kept. By default /var/cache/tare/bootstrap for root, else tare/bootstrap in $XDG_CACHE_HOME or ~/.cache. What nobody used for 30 days, and the oldest beyond 4 GiB, is removed.',
      group: 'The copy for the next one',
    },
    { long: 'quiet', short: 'q', description: 'Prints nothing if all goes well.' },
    {
      long: 'json',
      description: 'Prints JSON: { path, system, architecture, variant, include, engine, cached, warnings }.',
    },
  ],
  operands: [{ name: 'SYSTEM' }, { name: 'DIR', optional: true }],
  examples: [
    { description: 'the least of Debian 12', command: 'tare bootstrap debian:bookworm ./box' },
    {
      description: 'with a web server and an init to start it',
      command: 'tare bootstrap debian:12 --include nginx,systemd-sysv ./web',
    },
    { description: 'a machine with a name', command: 'tare bootstrap debian:12 --include systemd-sysv --name web' },
    {
      description: 'from a mirror nearby',
      command: 'tare bootstrap ubuntu:jammy --mirror http://mirror.example.org/ubuntu ./box',
    },
    { description: 'a command in it', command: 'tare run --rootfs ./box -- cat /etc/os-release' },
  ],
  exitStatus: [['128+N', 'Signal N ended it; nothing is left.']],
  run: async ({ options, operands: [system = '', directory], terminal, name }) => {
    const output = machineOutput(name, directory, options.name)
    const cache = cacheOf(options.cache, options.refresh)
    const line = progressLine(terminal, options.quiet === true || options.json === true)
    const began = performance.now()
    return untilDone(async (signal) => {
      const made = await bootstrap(system, {
        output,
        include: options.include,
        variant: wordOf(options.variant, BOOTSTRAP_VARIANTS),
        architecture: options.arch,
        mirror: options.mirror,
        keyring: options.keyring,
        cache,
        cacheDirectory: options['cache-dir'],
        signal,
        onProgress: (progress) => line.show(progressText(progress)),
      }).finally(line.clear)
      reportMade(made, (each) => madeText(each, performance.now() - began), options, terminal)
      return 0
    })
  },
})
