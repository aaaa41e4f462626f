/** A Unix socket that has a name (unix(7)), from /proc/net/unix. */
export interface UnixSocket {
  /** As it was bound: a path, or, in the abstract namespace, a name without its NUL character. */
  readonly name: string
  readonly abstract: boolean
  /** Whether it waits for connections. */
  readonly listening: boolean
  readonly inode: number
}

const ACCEPTS = 0x10000

/**
 * The sockets in the text of /proc/net/unix that have a name (proc_pid_net(5)). In abstract names the kernel writes `@`
 * for NUL characters. A name may hold any character, ends of lines too: what then isn't a line of this form counts for
 * nothing.
 */
export const parseUnixSockets = (text: string): readonly UnixSocket[] =>
  text.split('\n').flatMap((line) => {
    const match = /^[0-9a-f]+: [0-9A-F]+ [0-9A-F]+ ([0-9A-F]+) [0-9A-F]+ [0-9A-F]+ +(\d+) (.+)$/s.exec(line)
    if (match === null) return []
    const [, flags = '0', inode, name = ''] = match
    const abstract = name.startsWith('@')
    return [
      {
        name: abstract ? name.slice(1) : name,
        abstract,
        listening: (Number.parseInt(flags, 16) & ACCEPTS) !== 0,
        inode: Number(inode),
      },
    ]
  })
