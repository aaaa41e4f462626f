import { readFileSync, readdirSync, readlinkSync } from 'node:fs'
import { capabilityNames, idOutside, parseIdMap, parseMountinfo, parseStatusCapabilities } from '../linux/index.ts'

/** The files below /proc/self that the demo reads, on both sides. */
const FILES = ['status', 'uid_map', 'gid_map', 'mountinfo', 'net/dev', 'cgroup'] as const

const NAMESPACES = ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'time', 'user', 'uts'] as const

/** What one side shows of itself. */
export interface Facts {
  readonly uid: number
  /** What that id is outside of the user namespace. */
  readonly uidOutside: number | undefined
  readonly gid: number
  readonly gidOutside: number | undefined
  readonly pid: number
  /** How many processes can be seen. */
  readonly processes: number
  readonly hostname: string
  readonly mounts: readonly string[]
  readonly interfaces: readonly string[]
  readonly cgroup: string
  readonly capabilities: readonly string[]
  readonly noNewPrivileges: boolean
  readonly seccomp: boolean
  /** Inode numbers by kind; equal ones are the same namespace. */
  readonly namespaces: ReadonlyMap<string, string>
}

type Sections = ReadonlyMap<string, string>

const MARK = '== '

/** For sh(1), and nothing besides cat(1) and readlink(1): prints the sections that {@link parseSections} reads. */
export const FACTS_SCRIPT: string = [
  `for file in ${FILES.join(' ')}; do echo "${MARK}$file"; cat /proc/self/$file; done`,
  `echo "${MARK}hostname"; cat /proc/sys/kernel/hostname`,
  `echo "${MARK}pid"; echo $$`,
  `echo "${MARK}processes"; echo /proc/[0-9]*`,
  `for kind in ${NAMESPACES.join(' ')}; do echo "${MARK}ns/$kind"; readlink /proc/self/ns/$kind; done`,
  'exit 0',
].join('\n')

/** What {@link FACTS_SCRIPT} printed, by section. */
export const parseSections = (text: string): Sections =>
  new Map(
    `\n${text}`
      .split(`\n${MARK}`)
      .slice(1)
      .map((section) => {
        const end = section.indexOf('\n')
        return end < 0 ? [section, ''] : [section.slice(0, end), section.slice(end + 1)]
      }),
  )

/** The same sections for this process, read without any program. */
export const ownSections = (): Sections =>
  new Map([
    ...FILES.map((file) => [file, readFileSync(`/proc/self/${file}`, 'utf8')] as const),
    ['hostname', readFileSync('/proc/sys/kernel/hostname', 'utf8')] as const,
    ['pid', String(process.pid)] as const,
    [
      'processes',
      readdirSync('/proc')
        .filter((name) => /^\d+$/.test(name))
        .join(' '),
    ] as const,
    ...NAMESPACES.map((kind) => [`ns/${kind}`, readlinkSync(`/proc/self/ns/${kind}`)] as const),
  ])

/** A number in a line of /proc/PID/status; of the ids, which are four, the effective one. */
const field = (status: string, name: string): number => {
  const values = new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1]?.split(/\s+/) ?? []
  return Number(values[1] ?? values[0] ?? 0)
}

const words = (text: string): readonly string[] => text.split(/\s+/).filter((word) => word !== '')

const interfacesIn = (text: string): readonly string[] =>
  text.split('\n').flatMap((line) => {
    const name = /^\s*([^\s:]+):/.exec(line)?.[1]
    return name === undefined ? [] : [name]
  })

/** The group that limits memory: version 1 has it in a hierarchy of its own, version 2 in the only one. */
const groupIn = (text: string): string =>
  /^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(.*)$/m.exec(text)?.[1] ?? /^0::(.*)$/m.exec(text)?.[1] ?? '/'

/** The facts in the sections of one side. */
export const parseFacts = (sections: Sections): Facts => {
  const text = (name: string): string => sections.get(name) ?? ''
  const status = text('status')
  const [uid, gid] = [field(status, 'Uid'), field(status, 'Gid')]
  return {
    uid,
    uidOutside: idOutside(parseIdMap(text('uid_map')), uid),
    gid,
    gidOutside: idOutside(parseIdMap(text('gid_map')), gid),
    pid: Number(text('pid')),
    processes: words(text('processes')).length,
    hostname: text('hostname').trim(),
    mounts: parseMountinfo(text('mountinfo')).map(({ mountPoint }) => mountPoint),
    interfaces: interfacesIn(text('net/dev')),
    cgroup: groupIn(text('cgroup')),
    capabilities: capabilityNames(parseStatusCapabilities(status).effective),
    noNewPrivileges: field(status, 'NoNewPrivs') === 1,
    seccomp: field(status, 'Seccomp') === 2,
    namespaces: new Map(
      NAMESPACES.map((kind) => [kind, /\[(\d+)\]/.exec(text(`ns/${kind}`))?.[1] ?? 'unknown'] as const),
    ),
  }
}
