import { readlinkSync } from 'node:fs'
import { fileType } from '../linux/file-type.ts'
import { MOUNT_ATTR_NODEV, MOUNT_ATTR_NOSUID, MOUNT_ATTR_RDONLY } from '../linux/mount-flags.ts'
import type { Entry, Mount } from '../runtime/spec.ts'
import type { Rootfs } from './rootfs.ts'

/** Top-level directories that belong to /usr: on a merged-/usr system links into it, else directories of their own. */
const PROGRAM_DIRECTORIES = ['bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32'] as const

/** What of /etc programs can't do without, and which holds nothing that belongs to this host alone. */
const ETC_ALWAYS = ['alternatives', 'ld.so.cache'] as const
const ETC_WITH_NETWORK = [
  'ssl/certs',
  'ssl/openssl.cnf',
  'pki/tls/certs',
  'pki/ca-trust/extracted',
  'services',
  'protocols',
] as const

const RESTRICTED = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV

type Found = 'directory' | 'file' | { readonly link: string } | undefined

const find = (path: string): Found => {
  const type = fileType(path, { follow: false })
  if (type === 'link') return { link: readlinkSync(path) }
  return type === 'other' ? 'file' : type
}

/** Looked at once: a host doesn't change its layout while it runs. */
let layout: readonly (readonly [string, Found])[] | undefined

const programDirectories = (): readonly (readonly [string, Found])[] => {
  layout ??= PROGRAM_DIRECTORIES.map((name) => [name, find(`/${name}`)] as const).filter(
    ([, found]) => found !== undefined && found !== 'file',
  )
  return layout
}

export interface SystemUser {
  readonly name: string
  readonly uid: number
  readonly gid: number
  readonly home: string
}

export interface SystemRootOptions {
  readonly user: SystemUser
  readonly hostname: string
  /** The text of its /etc/resolv.conf; undefined where there is no network to speak of. */
  readonly nameServers: string | undefined
  /** How much memory, in bytes, the files that the container makes may take. */
  readonly size: number
}

const bind = (path: string, make: 'directory' | 'file'): Mount => ({
  kind: 'bind',
  source: path,
  target: path,
  attributes: RESTRICTED,
  recursive: true,
  make,
  // The owners stay the host's: whoever is root in the container has no power over these files, not even to read.
  idmap: false,
})

const accounts = ({ name, uid, gid, home }: SystemUser): { readonly passwd: string; readonly group: string } => {
  const passwd = ['root:x:0:0:root:/root:/bin/sh', 'nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin']
  const group = ['root:x:0:', 'tty:x:5:', 'nogroup:x:65534:']
  if (uid !== 0 && uid !== 65534) passwd.push(`${name}:x:${uid}:${gid}:${name}:${home}:/bin/sh`)
  if (![0, 5, 65534].includes(gid)) group.push(`${name}:x:${gid}:`)
  return { passwd: `${passwd.join('\n')}\n`, group: `${group.join('\n')}\n` }
}

const directory = (path: string, mode = 0o755): Entry => ({ kind: 'directory', path, mode })
const file = (path: string, content: string): Entry => ({ kind: 'file', path, content })
const link = (path: string, target: string): Entry => ({ kind: 'link', path, target })

/**
 * The host's programs and libraries and nothing else of it: /usr and what belongs to it, read-only, on a file system in
 * memory with a minimal /etc. No home, no configuration, no data of the host.
 */
export const systemRoot = (options: SystemRootOptions): Rootfs => {
  const { user, hostname, nameServers, size } = options
  const entries: Entry[] = ['usr', 'etc', 'home', 'run', 'var', 'proc', 'sys', 'dev'].map((path) => directory(path))
  entries.push(directory('root', 0o700), directory('tmp', 0o1777), directory('var/tmp', 0o1777))
  const mounts: Mount[] = [bind('/usr', 'directory')]
  for (const [name, found] of programDirectories()) {
    if (typeof found === 'object') entries.push(link(name, found.link))
    else {
      entries.push(directory(name))
      mounts.push(bind(`/${name}`, 'directory'))
    }
  }
  const made = new Set<string>()
  for (const path of [...ETC_ALWAYS, ...(nameServers === undefined ? [] : ETC_WITH_NETWORK)]) {
    const found = find(`/etc/${path}`)
    if (found === undefined) continue
    const parents = path.split('/').slice(0, -1)
    parents.forEach((_, index) => {
      const parent = `etc/${parents.slice(0, index + 1).join('/')}`
      if (!made.has(parent)) entries.push(directory(parent))
      made.add(parent)
    })
    if (typeof found === 'object') entries.push(link(`etc/${path}`, found.link))
    else mounts.push(bind(`/etc/${path}`, found))
  }
  const zone = find('/etc/localtime')
  if (typeof zone === 'object') entries.push(link('etc/localtime', zone.link))
  const { passwd, group } = accounts(user)
  entries.push(
    file('etc/passwd', passwd),
    file('etc/group', group),
    file('etc/hosts', `127.0.0.1\tlocalhost\n::1\tlocalhost\n127.0.1.1\t${hostname}\n`),
    file('etc/nsswitch.conf', 'passwd: files\ngroup: files\nhosts: files dns\n'),
  )
  if (nameServers !== undefined) entries.push(file('etc/resolv.conf', nameServers))
  return { root: { kind: 'made', entries, size }, mounts }
}
