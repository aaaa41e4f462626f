/** A value of JSON; an integer of 64 bits is a bigint. */
export type Json = string | number | bigint | boolean | null | readonly Json[] | Properties

export interface Properties {
  readonly [name: string]: Json | undefined
}

/** config.json, or a change to it: not typed further, since wrong ones are tried too. */
export type Config = Properties

const CAPABILITIES = ['CAP_AUDIT_WRITE', 'CAP_KILL', 'CAP_NET_BIND_SERVICE']

/** Where the groups of this run's cases are. */
export const CGROUPS: string = `tare-conformance-${process.pid}`

/** What a case starts from: a shell behind the namespaces that every engine asks for, with the mounts they give it. */
export const baseConfig = (id: string): Config => ({
  ociVersion: '1.0.2',
  root: { path: 'rootfs' },
  hostname: 'conformance',
  process: {
    user: { uid: 0, gid: 0 },
    cwd: '/',
    args: ['sh', '-c', 'true'],
    env: ['PATH=/bin'],
    capabilities: { bounding: CAPABILITIES, effective: CAPABILITIES, permitted: CAPABILITIES },
  },
  mounts: [
    { destination: '/proc', type: 'proc', source: 'proc' },
    {
      destination: '/dev',
      type: 'tmpfs',
      source: 'tmpfs',
      options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
    },
    {
      destination: '/dev/pts',
      type: 'devpts',
      source: 'devpts',
      options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
    },
    {
      destination: '/dev/shm',
      type: 'tmpfs',
      source: 'shm',
      options: ['nosuid', 'noexec', 'nodev', 'mode=1777', 'size=65536k'],
    },
  ],
  linux: {
    cgroupsPath: `/${CGROUPS}/${id}`,
    namespaces: ['pid', 'network', 'ipc', 'uts', 'mount'].map((type) => ({ type })),
  },
})

const isObject = (value: Json | undefined): value is Properties =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Objects are merged; anything else, a list too, takes the place of what was there; undefined takes it away. */
export const changed = (config: Config, change: Config): Config => {
  const merged: Record<string, Json | undefined> = { ...config }
  for (const [name, value] of Object.entries(change)) {
    const before = merged[name]
    merged[name] = isObject(value) && isObject(before) ? changed(before, value) : value
  }
  return merged
}

/** The text of a configuration, which JSON.stringify() can't write where it has integers of 64 bits. */
export const textOf = (value: Json): string => {
  if (typeof value === 'bigint') return String(value)
  if (Array.isArray(value)) return `[${value.map(textOf).join(',')}]`
  if (!isObject(value)) return JSON.stringify(value)
  const entries = Object.entries(value).flatMap(([name, each]) =>
    each === undefined ? [] : [`${JSON.stringify(name)}:${textOf(each)}`],
  )
  return `{${entries.join(',')}}`
}

/** The list at a name, to be given again with something more in it. */
export const listOf = (config: Config, ...names: readonly string[]): readonly Json[] => {
  let at: Json | undefined = config
  for (const name of names) at = isObject(at) ? at[name] : undefined
  return Array.isArray(at) ? at : []
}
