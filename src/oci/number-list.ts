import type { Read } from './fields.ts'
import { refuse, show, string } from './fields.ts'

const LIST = /^\d+(-\d+)?(,\d+(-\d+)?)*$/

/** A list of numbers and ranges such as `0-3,7`, as the kernel takes it; no range runs backwards. May be empty. */
export const numberList: Read<string> = (value, at) => {
  const list = string(value, at).replaceAll(' ', '')
  if (list !== '' && !LIST.test(list)) return refuse(at, `${show(value)} is no list such as 0-3,7`)
  for (const range of list.split(',')) {
    const [first, last] = range.split('-').map(Number)
    if (first !== undefined && last !== undefined && first > last)
      return refuse(at, `the range ${range} runs backwards`)
  }
  return list
}

/** The numbers of a list that {@link numberList} has read, in its order, each once; none of `most` or more. */
export const expandList = (list: string, most: number, at: string): readonly number[] => {
  const numbers = new Set<number>()
  for (const range of list === '' ? [] : list.split(',')) {
    const [first = 0, last = first] = range.split('-').map(Number)
    if (last >= most) return refuse(at, `${last} is not below ${most}`)
    for (let number = first; number <= last; number++) numbers.add(number)
  }
  return [...numbers]
}
