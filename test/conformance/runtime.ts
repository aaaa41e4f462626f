import { existsSync } from 'node:fs'
import { spawnSync } from 'node:child_process'
import { OCI } from '../host/oci-bundle.ts'

/** A runtime that the cases can be tried on. */
export const RUNTIMES = ['tare', 'runc', 'crun'] as const

export type RuntimeName = (typeof RUNTIMES)[number]

/** crun refuses a hierarchy of version 2 below one of version 1, and looks for it nowhere but here. */
const HYBRID = '/sys/fs/cgroup/unified'

const COMMANDS: Readonly<Record<RuntimeName, readonly string[]>> = {
  tare: [OCI],
  runc: ['runc'],
  crun: existsSync(HYBRID)
    ? ['unshare', '--mount', 'sh', '-c', `umount ${HYBRID} && exec crun "$@"`, 'crun']
    : ['crun'],
}

const isRuntime = (name: string): name is RuntimeName => RUNTIMES.some((known) => known === name)

/** The runtime that this run is about. */
export const chosenRuntime = (): RuntimeName => {
  const name = process.env['TARE_CONFORMANCE_RUNTIME'] ?? 'tare'
  if (isRuntime(name)) return name
  throw new Error(`TARE_CONFORMANCE_RUNTIME is ${name}, which is not one of ${RUNTIMES.join(', ')}`)
}

/** The words that start a runtime, before those of its own. */
export const commandOf = (runtime: RuntimeName): readonly string[] => COMMANDS[runtime]

/** Why this runtime can't be tried here, or undefined. */
export const whyNot = (runtime: RuntimeName): string | undefined => {
  if (process.getuid?.() !== 0) return 'needs root'
  if (!existsSync('/bin/busybox')) return 'needs /bin/busybox (package busybox-static)'
  const [program = '', ...words] = commandOf(runtime)
  const { status, error } = spawnSync(program, [...words, '--version'], { stdio: 'ignore' })
  return error === undefined && status === 0 ? undefined : `${runtime} does not run here`
}
