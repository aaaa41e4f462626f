import type { Propagation } from './mount-flags.ts'
import {
  MOUNT_ATTR__ATIME,
  MOUNT_ATTR_NOATIME,
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NODIRATIME,
  MOUNT_ATTR_NOEXEC,
  MOUNT_ATTR_NOSUID,
  MOUNT_ATTR_NOSYMFOLLOW,
  MOUNT_ATTR_RDONLY,
  MOUNT_ATTR_RELATIME,
  MOUNT_ATTR_STRICTATIME,
} from './mount-flags.ts'

/** Bits of MOUNT_ATTR_ to set and to clear, as `encodeMountAttr` takes them. */
export interface AttributeChange {
  readonly set: number
  readonly clear: number
}

export interface PropagationChange {
  readonly type: Propagation
  readonly recursive: boolean
}

/** One parameter of a file system, as fsconfig(2) takes it: a flag where it has no value. */
export interface FilesystemOption {
  readonly key: string
  readonly value?: string | undefined
}

/** What the option words of a mount mean. */
export interface MountOptions {
  /** For the mount itself: `ro`, `nosuid`, `noatime`. */
  readonly attributes: AttributeChange
  /** For the mount and all below it: `rro`, `rnosuid`. */
  readonly recursive: AttributeChange
  /** In the order in which they were given. */
  readonly propagation: readonly PropagationChange[]
  /** `bind`: one mount; `rbind`: with all below it; undefined: a new file system. */
  readonly bind: 'bind' | 'rbind' | undefined
  readonly remount: boolean
  /** Shift the ids of the mount by a user namespace's map: `idmap`, or with all below it: `ridmap`. */
  readonly idmap: 'idmap' | 'ridmap' | undefined
  /** Fill a tmpfs with what lies below it. */
  readonly copyUp: boolean
  /** Switches of any file system, which fsconfig(2) takes as flags: `sync`, `dirsync`, `lazytime`, `mand`. */
  readonly superblock: readonly string[]
  /** All other words, for the file system at hand: `size=64m`. */
  readonly data: readonly FilesystemOption[]
}

type Bits = readonly [word: string, undo: string, bit: number]

const BITS: readonly Bits[] = [
  ['ro', 'rw', MOUNT_ATTR_RDONLY],
  ['nosuid', 'suid', MOUNT_ATTR_NOSUID],
  ['nodev', 'dev', MOUNT_ATTR_NODEV],
  ['noexec', 'exec', MOUNT_ATTR_NOEXEC],
  ['nodiratime', 'diratime', MOUNT_ATTR_NODIRATIME],
  ['nosymfollow', 'symfollow', MOUNT_ATTR_NOSYMFOLLOW],
]

/** A word of access time: the setting that it makes, and which settings it applies to where it undoes one. */
const ATIME: Readonly<Record<string, { readonly setting: number; readonly undoes?: number }>> = {
  noatime: { setting: MOUNT_ATTR_NOATIME },
  strictatime: { setting: MOUNT_ATTR_STRICTATIME },
  relatime: { setting: MOUNT_ATTR_RELATIME },
  atime: { setting: MOUNT_ATTR_RELATIME, undoes: MOUNT_ATTR_NOATIME },
  nostrictatime: { setting: MOUNT_ATTR_RELATIME, undoes: MOUNT_ATTR_STRICTATIME },
}

const PROPAGATION: readonly Propagation[] = ['private', 'shared', 'slave', 'unbindable']

/** A switch of the superblock and the word that undoes it, both known to fsconfig(2). */
const SUPERBLOCK: readonly (readonly [word: string, undo: string])[] = [
  ['sync', 'async'],
  ['dirsync', 'nodirsync'],
  ['lazytime', 'nolazytime'],
  ['mand', 'nomand'],
]

/**
 * Words that ask for nothing: `relatime`, which `norelatime` undoes, is the kernel's default by now, a quiet mount has
 * no meaning for the calls by descriptor, and which file systems count the changes of a file they decide themselves
 * (ext4 since Linux 6.1 as XFS and btrfs before it).
 */
const IDLE: ReadonlySet<string> = new Set(['defaults', 'norelatime', 'silent', 'loud', 'iversion', 'noiversion'])

/** All words that {@link parseMountOptions} knows, in alphabetical order; those of a file system are not among them. */
export const mountOptionWords = (): readonly string[] => {
  const attributes = [...BITS.flatMap(([on, off]) => [on, off]), ...Object.keys(ATIME)]
  return [
    ...attributes.flatMap((word) => [word, `r${word}`]),
    ...PROPAGATION.flatMap((type) => [type, `r${type}`]),
    ...SUPERBLOCK.flat(),
    ...IDLE,
    'rnorelatime',
    'bind',
    'rbind',
    'remount',
    'idmap',
    'ridmap',
    'tmpcopyup',
  ].toSorted()
}

class Attributes {
  #set = 0
  #clear = 0

  /** Takes a word without its `r`; false where it is none of a mount attribute. */
  take(word: string): boolean {
    for (const [on, off, bit] of BITS) {
      if (word !== on && word !== off) continue
      this.#set = word === on ? this.#set | bit : this.#set & ~bit
      this.#clear = word === on ? this.#clear & ~bit : this.#clear | bit
      return true
    }
    const atime = Object.hasOwn(ATIME, word) ? ATIME[word] : undefined
    if (atime === undefined) return false
    const chosen = (this.#clear & MOUNT_ATTR__ATIME) !== 0
    if (atime.undoes !== undefined && chosen && (this.#set & MOUNT_ATTR__ATIME) !== atime.undoes) return true
    this.#set = (this.#set & ~MOUNT_ATTR__ATIME) | atime.setting
    this.#clear |= MOUNT_ATTR__ATIME
    return true
  }

  get change(): AttributeChange {
    return { set: this.#set, clear: this.#clear }
  }
}

/** `size=64m` as a key and its value; without `=` the value is undefined. */
export const splitFilesystemOption = (option: string): FilesystemOption => {
  const at = option.indexOf('=')
  return at < 0 ? { key: option } : { key: option.slice(0, at), value: option.slice(at + 1) }
}

/** Splits `ro,size=64m` at its commas; what stands in double quotes stays together, without them (mount(8)). */
export const splitMountOptions = (text: string): readonly string[] => {
  const options: string[] = []
  let option = ''
  let quoted = false
  for (const character of text) {
    if (character === '"') quoted = !quoted
    else if (character === ',' && !quoted) {
      options.push(option)
      option = ''
    } else option += character
  }
  return [...options, option].filter((each) => each !== '')
}

/**
 * Sorts the option words of an OCI mount, which are those of mount(8), by what they concern. Of words that
 * contradict each other the last one counts. A word that is not known stays with the file system's own options,
 * as the runtime specification has it ("Linux mount options").
 */
export const parseMountOptions = (options: readonly string[]): MountOptions => {
  const attributes = new Attributes()
  const recursive = new Attributes()
  const propagation: PropagationChange[] = []
  const superblock: string[] = []
  const data: FilesystemOption[] = []
  let bind: MountOptions['bind']
  let idmap: MountOptions['idmap']
  let remount = false
  let copyUp = false

  const takePropagation = (word: string): boolean => {
    const type = PROPAGATION.find((each) => word === each || word === `r${each}`)
    if (type !== undefined) propagation.push({ type, recursive: word !== type })
    return type !== undefined
  }
  const takeSuperblock = (word: string): boolean => {
    const pair = SUPERBLOCK.find((each) => each.includes(word))
    if (pair === undefined) return false
    for (const other of pair) if (superblock.includes(other)) superblock.splice(superblock.indexOf(other), 1)
    // There is no word for fsconfig(2) that undoes dirsync; dropping an earlier one is all it takes.
    if (word !== 'nodirsync') superblock.push(word)
    return true
  }

  for (const word of options) {
    if (word === 'bind' || word === 'rbind') bind = word
    else if (word === 'idmap' || word === 'ridmap') idmap = word
    else if (word === 'remount') remount = true
    else if (word === 'tmpcopyup') copyUp = true
    else if (word === '' || IDLE.has(word)) continue
    else if (attributes.take(word) || takePropagation(word) || takeSuperblock(word)) continue
    else if (word.startsWith('r') && (word === 'rnorelatime' || recursive.take(word.slice(1)))) continue
    else data.push(splitFilesystemOption(word))
  }
  return {
    attributes: attributes.change,
    recursive: recursive.change,
    propagation,
    bind,
    remount,
    idmap,
    copyUp,
    superblock,
    data,
  }
}
