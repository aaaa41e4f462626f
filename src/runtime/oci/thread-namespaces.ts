import { closeSync } from 'node:fs'
import type { NamespaceKind } from '../../linux/namespace.ts'
import { namespaceKind, openNamespace, openNamespaceFile, setns } from '../../linux/namespace.ts'
import { InputError } from '../../linux/error.ts'

const refuseOther = (fd: number, kind: NamespaceKind, path: string): void => {
  const found = namespaceKind(fd)
  if (found === kind) return
  throw new InputError({
    operation: 'join',
    target: path,
    reason: `it is a ${found} namespace, and no ${kind} namespace`,
  })
}

/**
 * Does something while this thread is in namespaces of others, into which what it starts is born, and brings it back.
 * `run` must not wait: whatever else this thread does would happen there too. For `pid` only children are concerned.
 */
export const inNamespaces = <T>(joined: readonly (readonly [NamespaceKind, string])[], run: () => T): T => {
  if (joined.length === 0) return run()
  const opened: number[] = []
  const back: (readonly [NamespaceKind, number])[] = []
  const keep = (fd: number): number => {
    opened.push(fd)
    return fd
  }
  try {
    const targets = joined.map(([kind, path]) => {
      const fd = keep(openNamespaceFile(path))
      refuseOther(fd, kind, path)
      return [kind, fd] as const
    })
    const own = targets.map(([kind]) => [kind, keep(openNamespace('thread-self', kind))] as const)
    try {
      targets.forEach(([kind, fd], index) => {
        setns(fd, [kind])
        const home = own[index]
        if (home !== undefined) back.unshift(home)
      })
      return run()
    } finally {
      for (const [kind, fd] of back) setns(fd, [kind])
    }
  } finally {
    for (const fd of opened) closeSync(fd)
  }
}
