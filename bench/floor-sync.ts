import type { Call, Start } from './strace.ts'

/** What differs by its nature: descriptors of the parent, sizes of what is handed over, how often one had to wait. */
const LOOSE = ['dup3', 'execveat', 'lseek', 'mmap', 'recvfrom']
const IGNORED = ['futex', 'fcntl']

const comparable = (calls: readonly Call[], program: string): readonly string[] =>
  calls
    .filter(({ name }) => !IGNORED.includes(name))
    .map(({ name, args }) => {
      // What a wait returned says nothing of the start.
      if (LOOSE.includes(name) || name === 'rt_sigtimedwait') return name
      const plain = args
        .replaceAll(program, 'PROGRAM')
        .replaceAll(/0x[0-9a-f]+/g, 'ADDRESS')
        // The host name, which is random.
        .replaceAll(/(?<![0-9a-f])[0-9a-f]{12}(?![0-9a-f])/g, 'HOST')
      return `${name}(${plain})`
    })

/** `- ` what only the library does, `+ ` what only the floor does, in order: a longest common subsequence is left out. */
export const differences = (ours: readonly string[], theirs: readonly string[]): readonly string[] => {
  const rows = ours.length + 1
  const columns = theirs.length + 1
  const lengths = Array.from({ length: rows }, () => Array.from({ length: columns }, () => 0))
  const at = (row: number, column: number): number => lengths[row]?.[column] ?? 0
  for (let row = rows - 2; row >= 0; row--)
    for (let column = columns - 2; column >= 0; column--) {
      const line = lengths[row]
      if (line === undefined) continue
      line[column] =
        ours[row] === theirs[column] ? at(row + 1, column + 1) + 1 : Math.max(at(row + 1, column), at(row, column + 1))
    }
  const found: string[] = []
  let row = 0
  let column = 0
  while (row < ours.length || column < theirs.length) {
    if (row < ours.length && column < theirs.length && ours[row] === theirs[column]) {
      row++
      column++
    } else if (row < ours.length && (column === theirs.length || at(row + 1, column) >= at(row, column + 1)))
      found.push(`- ${ours[row++]}`)
    else found.push(`+ ${theirs[column++]}`)
  }
  return found
}

/** In which calls the floor doesn't mirror the library: none, if bench/floor.c is up to date. */
export const compareStarts = (ours: Start, floor: Start, program: string): readonly string[] =>
  (['stage', 'program'] as const).flatMap((part) =>
    differences(comparable(ours[part], program), comparable(floor[part], program)),
  )
