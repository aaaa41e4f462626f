import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { defaultSpec, ociFeatures } from '../index.ts'
import { readCgroupLayout } from '../linux/index.ts'
import type { OciVerb } from './oci-globals.ts'
import { ociVerb } from './oci-globals.ts'
import { UsageError } from './usage-error.ts'

export const ociSpec: OciVerb = ociVerb({
  description:
    'Writes config.json, a configuration to begin with: a shell in the directory rootfs, behind the usual walls. One that is there is left alone.',
  options: [
    {
      long: 'bundle',
      short: 'b',
      argument: 'DIR',
      description: 'Where it is written to, by default the working directory.',
    },
    { long: 'rootless', description: 'For an ordinary user, who is root in the container.' },
  ],
  operands: [],
  examples: [{ description: 'begin a bundle', command: 'tare oci spec --bundle ./bundle' }],
  run: ({ options }) => {
    const path = join(options.bundle ?? '.', 'config.json')
    if (existsSync(path)) throw new UsageError(`cannot write ${path}: it is there already`, 'Remove it first.')
    const own = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 }
    const rootless = options.rootless === true ? own : undefined
    const spec = defaultSpec({ unified: readCgroupLayout().kind === 'v2', rootless })
    writeFileSync(path, `${JSON.stringify(spec, undefined, 2)}\n`)
    return 0
  },
})

export const ociFeaturesVerb: OciVerb = ociVerb({
  description: 'Prints what this runtime can do as JSON, for engines to ask before they call it.',
  options: [],
  operands: [],
  examples: [{ description: 'what it can do', command: 'tare oci features' }],
  run: ({ terminal }) => {
    terminal.print(`${JSON.stringify(ociFeatures(), undefined, 2)}\n`)
    return 0
  },
})
