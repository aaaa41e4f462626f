/** The largest limits of version 1 are rounded down to a page, so everything from here on is "no limit". */
const UNLIMITED = 2n ** 63n - 65536n

/** A number of a control file; undefined for `max`, -1 and version 1's equivalents, and for what is no number. */
export const parseAmount = (text: string): number | undefined => {
  const word = text.trim()
  if (!/^\d+$/.test(word) || BigInt(word) >= UNLIMITED) return undefined
  return Number(word)
}

/** "Flat keyed" files: a name and a number on each line (`oom_kill 3`). */
export const parseFlatKeyed = (text: string): ReadonlyMap<string, number> => {
  const map = new Map<string, number>()
  for (const line of text.split('\n')) {
    const match = /^(\S+) (\d+)$/.exec(line)
    if (match?.[1] !== undefined) map.set(match[1], Number(match[2]))
  }
  return map
}

/** "Nested keyed" files: a name and pairs on each line (`8:0 rbytes=1 wbytes=2`). A value `max` is left out. */
export const parseNestedKeyed = (text: string): ReadonlyMap<string, ReadonlyMap<string, number>> => {
  const map = new Map<string, ReadonlyMap<string, number>>()
  for (const line of text.split('\n')) {
    const [name, ...pairs] = line.split(' ')
    if (name === undefined || name === '') continue
    const values = pairs.flatMap((pair): readonly (readonly [string, number])[] => {
      const match = /^([^=]+)=(\d+)$/.exec(pair)
      return match?.[1] === undefined ? [] : [[match[1], Number(match[2])]]
    })
    map.set(name, new Map(values))
  }
  return map
}
