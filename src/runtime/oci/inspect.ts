import type { State } from '../../oci/state.ts'
import { ContainerDirectory, containerIds } from './container-directory.ts'
import { requireGroups } from './kill.ts'
import { stateOf, statusOf } from './status.ts'
import { InputError } from '../../linux/error.ts'

/** What `state` and `list` tell of a container: the specification's state, and what runc tells besides. */
export interface ContainerState extends State {
  readonly pid: number
  readonly rootfs: string
  /** RFC 3339. */
  readonly created: string
  /** The name of the user who created it; empty for root. */
  readonly owner: string
}

/** The state of a container. Throws {@link InputError} if there is none. */
export const containerState = (root: string, id: string): ContainerState => {
  const directory = new ContainerDirectory(root, id)
  const record = directory.read()
  const { annotations, ...state } = stateOf(record, statusOf(directory, record))
  return {
    ...state,
    pid: state.pid ?? 0,
    rootfs: record.rootfs,
    created: record.created,
    ...(annotations !== undefined && { annotations }),
    owner: '',
  }
}

/** The states of all containers below a root; one that goes or comes meanwhile may be left out. */
export const listContainers = (root: string): readonly ContainerState[] =>
  containerIds(root).flatMap((id): readonly ContainerState[] => {
    try {
      return [containerState(root, id)]
    } catch (error) {
      if (error instanceof InputError) return []
      throw error
    }
  })

/** The ids of the processes of a container, as this pid namespace has them. */
export const containerProcesses = (root: string, id: string): readonly number[] =>
  requireGroups(new ContainerDirectory(root, id).read(), 'list the processes of').allProcesses()
