import { readProc } from './proc.ts'

const LOCAL = /^ *\/32 host LOCAL$/
const PREFIX = /^ *\|-- ([0-9.]+)$/

/** The addresses of version 4 that are a host's own, from the text of /proc/PID/net/fib_trie; without loopback's. */
export const parseFibTrie = (text: string): readonly string[] => {
  const found = new Set<string>()
  let address = ''
  for (const line of text.split('\n')) {
    address = PREFIX.exec(line)?.[1] ?? address
    if (LOCAL.test(line) && !address.startsWith('127.')) found.add(address)
  }
  return [...found]
}

/** IFA_GLOBAL of if_inet6: neither of the loopback nor of a link (include/net/ipv6.h). */
const GLOBAL = 0

/** An address of version 6 as RFC 5952 writes it. `hex`: 32 digits. */
const formatVersion6 = (hex: string): string => {
  const groups = (hex.match(/.{4}/g) ?? []).map((group) => Number.parseInt(group, 16).toString(16))
  const text = groups.join(':')
  const runs = [...text.matchAll(/(?:^|:)0(?::0)+(?=:|$)/g)].toSorted((a, b) => b[0].length - a[0].length)
  const [longest] = runs
  if (longest === undefined) return text
  const before = text.slice(0, longest.index)
  const after = text.slice(longest.index + longest[0].length + 1)
  return `${before}::${after}`
}

/** The addresses of version 6 with global scope, from the text of /proc/PID/net/if_inet6. */
export const parseIfInet6 = (text: string): readonly string[] =>
  text.split('\n').flatMap((line) => {
    const [hex = '', , , scope = ''] = line.trim().split(/ +/)
    return hex.length === 32 && Number.parseInt(scope, 16) === GLOBAL ? [formatVersion6(hex)] : []
  })

/** All addresses, but the loopback's and those of a link, in the network of a process. Throws if it has ended. */
export const readLocalAddresses = (pid: number): readonly string[] => {
  const read = (file: string): string => readProc('read the addresses of', pid, `net/${file}`)
  let version6 = ''
  try {
    version6 = read('if_inet6')
  } catch (error) {
    // A kernel without it has no such file.
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
  }
  return [...parseFibTrie(read('fib_trie')), ...parseIfInet6(version6)]
}
