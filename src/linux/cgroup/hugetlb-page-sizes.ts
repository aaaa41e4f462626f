import { readdirSync } from 'node:fs'

const UNITS = ['KB', 'MB', 'GB'] as const

/** `2048` kB → `2MB`: the kernel's name for it in the names of hugetlb's control files. */
export const hugetlbPageSizeName = (kilobytes: number): string => {
  let size = kilobytes
  let unit = 0
  while (size >= 1024 && unit < UNITS.length - 1) {
    size /= 1024
    unit += 1
  }
  return `${size}${UNITS[unit]}`
}

/** The sizes of huge page that this kernel has, from /sys/kernel/mm/hugepages; empty without huge pages. */
export const hugetlbPageSizes = (): readonly string[] => {
  let names: readonly string[]
  try {
    names = readdirSync('/sys/kernel/mm/hugepages').toSorted()
  } catch {
    return []
  }
  return names.flatMap((name) => {
    const match = /^hugepages-(\d+)kB$/.exec(name)
    return match === null ? [] : [hugetlbPageSizeName(Number(match[1]))]
  })
}
