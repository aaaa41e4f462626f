import type { BootOptions } from '../boot-options.ts'

/** Options that are lists of names with a value each: one that is given takes the place of that of its name. */
const BY_NAME = ['env', 'ulimits', 'sysctls'] as const

const mergeMounts = (saved: BootOptions['mounts'] = [], given: BootOptions['mounts'] = []): BootOptions['mounts'] => [
  ...saved.filter(({ target }) => given.every((mount) => mount.target !== target)),
  ...given,
]

/**
 * Settings, and what is given for once: that goes before. Variables, limits of processes and kernel parameters are added
 * one by one, by their names, and so are mounts, by their targets; every other option takes the place of the whole
 * setting.
 */
export const mergeSettings = (saved: BootOptions, given: BootOptions): BootOptions => {
  const both: BootOptions = { ...saved, ...given }
  const named = BY_NAME.filter((name) => both[name] !== undefined).map((name) => [
    name,
    { ...saved[name], ...given[name] },
  ])
  const mounts = both.mounts === undefined ? {} : { mounts: mergeMounts(saved.mounts, given.mounts) }
  return { ...both, ...mounts, ...Object.fromEntries(named) }
}
