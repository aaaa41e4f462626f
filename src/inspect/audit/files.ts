import { knownFileStatus } from '../../linux/file-status.ts'
import type { MountInfo } from '../../linux/mountinfo.ts'
import type { Finding } from './finding.ts'
import { Findings } from './finding.ts'
import type { HostPath } from './host-paths.ts'
import { isReadOnly } from './host-paths.ts'
import { isDirectory, mayWrite } from './permission.ts'
import { isBelow, lookAt } from './reach.ts'
import type { Subject } from './subject.ts'
import { isSomeones } from './subject.ts'

/** Directories that the host runs or is set up by: whoever writes there has the host. */
const TRUSTED = ['/bin', '/boot', '/etc', '/lib', '/lib32', '/lib64', '/libx32', '/root', '/sbin', '/usr', '/opt']

/** Directories that hold the files of many: if one is mounted whole, so are they. */
const BROAD = ['/', '/home', '/var', '/var/lib', '/run', '/var/run', '/mnt', '/media', '/srv']

/** Programs and libraries, which are the same everywhere and hold no secrets. */
const PROGRAMS = ['/bin', '/lib', '/lib32', '/lib64', '/libx32', '/sbin', '/usr', '/opt']

/** Settings that all may read, and that programs need. */
const PUBLIC = [
  '/etc/alternatives', '/etc/ca-certificates', '/etc/group', '/etc/hosts', '/etc/ld.so.cache', '/etc/ld.so.conf',
  '/etc/ld.so.conf.d', '/etc/localtime', '/etc/nsswitch.conf', '/etc/passwd', '/etc/pki', '/etc/resolv.conf', '/etc/ssl/certs',
  '/etc/timezone', '/etc/os-release',
] // prettier-ignore

/** Where engines keep the files that they make for one container: its hosts, its name, its resolver, its volumes. */
const ENGINES = [
  '/var/lib/docker/containers', '/var/lib/docker/volumes', '/var/lib/containers', '/var/lib/containerd',
  '/run/containers', '/run/containerd', '/run/docker', '/var/lib/kubelet/pods', '/run/systemd/nspawn',
] // prettier-ignore

/** The id by which engines name the directory of a container. */
const CONTAINER_ID = /\/[0-9a-f]{64}(?:\/|$)/

/** A user's containers, where podman keeps them. */
const USERS_ENGINE =
  /^(?:\/home\/[^/]+|\/root)\/\.local\/share\/containers(?:\/|$)|^\/run\/user\/\d+\/(?:containers|libpod)(?:\/|$)/

export type HostPathKind = 'whole' | 'broad' | 'trusted' | 'public' | 'programs' | 'engine' | 'kernel' | 'other'

/** What sort of place of the host a path is. */
export const kindOf = (path: string): HostPathKind => {
  if (path === '/') return 'whole'
  if (ENGINES.some((directory) => isBelow(path, directory)) || USERS_ENGINE.test(path) || CONTAINER_ID.test(path))
    return 'engine'
  if (isBelow(path, '/sys') || isBelow(path, '/proc')) return 'kernel'
  if (BROAD.includes(path)) return 'broad'
  if (PUBLIC.some((directory) => isBelow(path, directory))) return 'public'
  if (PROGRAMS.some((directory) => isBelow(path, directory))) return 'programs'
  return TRUSTED.some((directory) => isBelow(path, directory)) ? 'trusted' : 'other'
}

/** Places of the host that are not meant for one container. */
const OTHERS_TOO: readonly HostPathKind[] = ['whole', 'broad', 'trusted', 'public', 'programs']

/** Whether the process can change what the host, or others on it, go by. */
export const canChangeHost = (subject: Subject, host: HostPath): boolean =>
  OTHERS_TOO.includes(kindOf(host.path)) && isWritable(subject, host)

/** Whether the process may write to what is mounted, by mount, owner and mode; of a tree its top decides. */
const isWritable = (subject: Subject, { mount, path, readOnly }: HostPath): boolean => {
  if (readOnly) return false
  const kind = kindOf(path)
  // Below such directories there is something for every user.
  if ((kind === 'whole' || kind === 'broad') && isSomeones(subject.host, subject.status.uid.filesystem)) return true
  return lookAt(subject, mount.mountPoint, (fd) => mayWrite(subject, knownFileStatus(fd))) ?? true
}

const where = ({ mount, path }: HostPath): string =>
  mount.mountPoint === path ? path : `${path} as ${mount.mountPoint}`

const REMEDY = 'Mount what is needed, and no more, with :ro (tare run --volume, docker --volume).'

/**
 * Whether what it makes there can be a set-user-id program of the host's root. Where the owners are mapped it is root's,
 * too; but who maps them mostly has a filter that refuses these bits.
 */
const makesRootsFiles = ({ status }: Subject, { mount }: HostPath): boolean =>
  status.uid.filesystem === 0 || (mount.options.includes('idmapped') && status.seccomp !== 'filter')

const judge = (subject: Subject, findings: Findings, host: HostPath): void => {
  const kind = kindOf(host.path)
  const writable = isWritable(subject, host)
  const text = `${where(host)}${writable ? ', writable' : host.readOnly ? ', read-only' : ', not writable for its ids'}`
  const isRoot = host.mount.mountPoint === '/'
  if (kind === 'whole') {
    findings.open('host-root', `the root of the host: ${text}`, {
      severity: writable ? 'escape' : 'weakness',
      why: writable
        ? 'It can change what the host, or the user that it is there, runs next.'
        : 'It reads all that its ids may read on the host.',
      remedy: `Give it a root of its own (tare run; docker). ${REMEDY}`,
    })
  } else if (writable && (kind === 'trusted' || kind === 'programs' || kind === 'public')) {
    findings.open('host-files', text, {
      severity: 'escape',
      why: 'The host runs programs and reads settings from there: what it writes, the host will do.',
      remedy: REMEDY,
    })
  } else if (kind === 'broad') {
    findings.open('host-files', text, {
      severity:
        writable && host.path !== '/srv' && host.path !== '/mnt' && host.path !== '/media' ? 'escape' : 'weakness',
      why: 'The files of many are in there: sockets, keys, state of other programs.',
      remedy: REMEDY,
    })
  } else if (kind === 'trusted') {
    findings.partial('host-files', text, {
      severity: isFileOnly(subject, host) ? 'note' : 'weakness',
      why: "It reads the host's settings, and the secrets among them, as far as its ids let it.",
      remedy: REMEDY,
    })
  } else if (kind === 'programs' || kind === 'public') {
    findings.holds(
      'host-programs',
      `${text}: ${kind === 'programs' ? 'programs and libraries' : 'settings that hold no secrets'}`,
    )
  } else if (isRoot || kind === 'engine') {
    findings.holds('own-files', `${text}: made for it`)
  } else if (writable && makesRootsFiles(subject, host)) {
    findings.partial('host-files', text, {
      severity: 'weakness',
      why: "What it makes there belongs to the host's root: a set-user-id program, for a user of the host to start.",
      remedy: `Map its ids (tare run, the default; docker: userns-remap), or mount read-only.`,
    })
  } else {
    findings.partial('host-files', text, {
      severity: 'note',
      why: writable
        ? 'What is in there it can change, and others of the host will read it.'
        : 'What is in there it can read.',
      remedy: REMEDY,
    })
  }
}

const isFileOnly = (subject: Subject, { mount }: HostPath): boolean =>
  lookAt(subject, mount.mountPoint, (fd) => !isDirectory(knownFileStatus(fd))) ?? false

/**
 * The root directory of a process whose root is no mount, but a directory in one, by chroot(2): the table of mounts has no
 * line for it. Undefined where it is a mount, or it can't be told where on the host it lies.
 */
export const chrootPath = ({ host, files, mounts, namespaces, root }: Subject): HostPath | undefined => {
  if (hasMountedRoot(mounts) || namespaces.mnt?.shared === false) return undefined
  const { mount: id } = knownFileStatus(root)
  const mount = host.mounts.find((each) => each.id === id)
  const path = files.link('root')
  if (mount === undefined || path === undefined) return undefined
  return { mount: { ...mount, mountPoint: '/' }, path, readOnly: isReadOnly(mount) }
}

const hasMountedRoot = (mounts: readonly MountInfo[]): boolean => mounts.some(({ mountPoint }) => mountPoint === '/')

/** Which files of the host it sees, and which it can change. */
export const auditFiles = (subject: Subject, paths: readonly HostPath[]): readonly Finding[] => {
  const findings = new Findings('files')
  // Who has the root of the host has what is mounted in it too.
  const whole = paths.find(({ mount, path }) => path === '/' && mount.mountPoint === '/')
  for (const path of whole === undefined ? paths : [whole])
    if (kindOf(path.path) !== 'kernel') judge(subject, findings, path)
  const strange = subject.mounts.filter(
    (mount) =>
      mount.major !== 0 &&
      !subject.host.mounts.some(({ major, minor }) => major === mount.major && minor === mount.minor),
  )
  if (strange.length > 0)
    findings.partial(
      'other-disks',
      `a disk that the host has not mounted: ${strange.map(({ mountPoint }) => mountPoint).join(', ')}`,
      {
        severity: 'note',
        why: 'Whoever mounted it there gave it to the container whole.',
        remedy: 'See whether that is meant.',
      },
    )
  if (!hasMountedRoot(subject.mounts) && paths.every(({ mount }) => mount.mountPoint !== '/'))
    findings.unknown('root', 'where on the host its root directory lies: it is none of its mounts')
  else if (paths.length === 0) findings.holds('none', 'no file system of the host is in sight')
  for (const { mountPoint, options, shared } of subject.mounts)
    if (shared !== undefined && !subject.namespaces.mnt?.shared && options.includes('rw') && mountPoint === '/')
      findings.partial('propagation', 'mounts made in it spread: / is shared (mount_namespaces(7))', {
        severity: 'note',
        why: 'If the host is in the same peer group, what it mounts appears there.',
        remedy: 'Make mounts private: mount --make-rprivate /; tare run and docker do.',
      })
  return findings.list
}
