import { InputError } from '../../linux/error.ts'
import type { Distribution } from './system-name.ts'

interface MachineNames {
  readonly debian: string
  readonly fedora: string
}

/** Node's names, and what the distributions call the same. */
const NAMES: Readonly<Record<string, MachineNames>> = {
  x64: { debian: 'amd64', fedora: 'x86_64' },
  arm64: { debian: 'arm64', fedora: 'aarch64' },
}

/**
 * What a distribution calls this machine's architecture. `asked` may be any of its names; one of another machine is
 * refused: {@link InputError}.
 */
export const resolveArchitecture = (
  asked: string | undefined,
  distribution: Distribution,
  machine: string = process.arch,
): string => {
  const names = NAMES[machine]
  if (names === undefined)
    throw new InputError({ operation: 'bootstrap on', target: machine, reason: 'it is amd64 or arm64 that is known' })
  const name = distribution === 'fedora' ? names.fedora : names.debian
  if (asked === undefined || [machine, names.debian, names.fedora].includes(asked)) return name
  throw new InputError({
    operation: 'bootstrap for',
    target: asked,
    reason: `this machine is ${name}: it can't run the programs of another, and installing packages takes that`,
    hint: 'Do it on a machine of that kind, and bring the directory here.',
  })
}
