import { InputError } from '../../linux/error.ts'
import type { FoundContainer } from '../containers.ts'
import { findContainers } from '../containers.ts'

/** Of an id as many characters must be given, as engines print them. */
const SHORTEST = 4

/** Containers of a name, or of an id that begins so. A whole name or id goes before. */
export const containersNamed = <T extends Pick<FoundContainer, 'name' | 'id'>>(
  containers: readonly T[],
  name: string,
): readonly T[] => {
  const exact = containers.filter((each) => each.name === name || each.id === name)
  if (exact.length > 0 || name.length < SHORTEST) return exact
  return containers.filter(({ id }) => id?.startsWith(name) === true)
}

/**
 * The first process of the container that somebody calls so, whoever made it. Throws {@link InputError} unless there is
 * just one.
 */
export const leaderOf = (name: string): number => {
  const found = containersNamed(findContainers({ cgroups: false }), name)
  const [first, ...others] = found
  const target = JSON.stringify(name)
  if (first === undefined)
    throw new InputError({
      operation: 'audit',
      target,
      reason: 'no container of that name or id is running',
      hint: 'Give its name or id, or the id of a process in it: "tare ps" lists them.',
    })
  if (others.length > 0)
    throw new InputError({
      operation: 'audit',
      target,
      reason: `there are ${found.length} containers of that name`,
      hint: `Give the id of a process: ${found.map(({ leader }) => leader).join(', ')}.`,
    })
  return first.leader
}
