import { closeSync } from 'node:fs'
import { O_DIRECTORY, O_NOFOLLOW, O_RDONLY } from '../../linux/fcntl.ts'
import { fileDetails } from '../../linux/file-details.ts'
import { namesIn, openIn, shown } from './names.ts'
import { removeIn } from './remove.ts'
import { isDirectory } from './walk.ts'

/** image-spec, layer.md, "Whiteouts". */
const PREFIX = '.wh.'
const OPAQUE = '.wh..wh..opq'
/** What aufs had for itself. */
const RESERVED = '.wh..wh.'

/** Whether a name in a layer says something of others instead of being a file. */
export const isWhiteout = (name: string): boolean => name.startsWith(PREFIX)

/** What the whiteouts of one layer take away: what lower layers have, and never what this one has, whichever comes first. */
export class Whiteouts {
  /** Paths that this layer has, those above each among them. */
  readonly #own = new Set<string>()

  /** Tells of a file of this layer. */
  note(parts: readonly string[]): void {
    for (let length = parts.length; length > 0; length--) {
      const path = parts.slice(0, length).join('/')
      if (this.#own.has(path)) return
      this.#own.add(path)
    }
  }

  /** Carries one out. `dirfd` is the directory that it is in. */
  apply(dirfd: number, parts: readonly string[], signal: AbortSignal | undefined): void {
    signal?.throwIfAborted()
    const name = parts.at(-1) ?? ''
    const above = parts.slice(0, -1)
    if (name === OPAQUE) this.#empty(dirfd, '.', above)
    else if (!name.startsWith(RESERVED)) this.#take(dirfd, [...above, name.slice(PREFIX.length)])
  }

  #take(dirfd: number, parts: readonly string[]): void {
    const [name = '', path] = [parts.at(-1), parts.join('/')]
    if (name === '' || name === '.' || name === '..') return
    if (!this.#own.has(path)) return removeIn(dirfd, name, shown(path))
    const there = fileDetails(dirfd, name)
    if (there !== undefined && isDirectory(there)) this.#empty(dirfd, name, parts)
  }

  /** Of what is in a directory only what this layer has put there stays, and in that the same. */
  #empty(dirfd: number, name: string, parts: readonly string[]): void {
    const path = shown(parts.join('/'))
    const fd = openIn(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, 'list', path)
    try {
      for (const below of namesIn(fd, path)) this.#take(fd, [...parts, below])
    } finally {
      closeSync(fd)
    }
  }
}
