import type { Command } from './command.ts'
import type { OciVerb } from './oci-globals.ts'

/** A line of the table of verbs: the verb once it is known what stands before it, and with nothing before it. */
export interface OciVerbEntry {
  readonly name: string
  readonly summary: string
  readonly verb: () => Promise<OciVerb>
  readonly load: () => Promise<Command>
}

const entry = (name: string, summary: string, verb: () => Promise<OciVerb>): OciVerbEntry => ({
  name,
  summary,
  verb,
  load: async () => {
    const { noGlobals } = await import('./oci-globals.ts')
    return (await verb())(noGlobals())
  },
})

/** The verbs of the OCI runtime, in the order in which the help lists them. */
export const OCI_VERBS: readonly OciVerbEntry[] = [
  entry(
    'create',
    'make a container of a bundle, whose process waits to be started',
    async () => (await import('./oci-create.ts')).ociCreate,
  ),
  entry('start', 'run the program of a created container', async () => (await import('./oci-life.ts')).ociStart),
  entry(
    'run',
    'make a container, run its program, and delete it',
    async () => (await import('./oci-create.ts')).ociRun,
  ),
  entry('state', 'print the state of a container', async () => (await import('./oci-inspect.ts')).ociState),
  entry('list', 'list containers', async () => (await import('./oci-inspect.ts')).ociList),
  entry('ps', 'list the processes of a container', async () => (await import('./oci-inspect.ts')).ociPs),
  entry('kill', 'send a signal to a container', async () => (await import('./oci-life.ts')).ociKill),
  entry('exec', 'run one more program in a container', async () => (await import('./oci-exec.ts')).ociExec),
  entry('pause', 'stop the processes of a container', async () => (await import('./oci-life.ts')).ociPause),
  entry(
    'resume',
    'let the processes of a paused container run again',
    async () => (await import('./oci-life.ts')).ociResume,
  ),
  entry('delete', 'remove a container that has ended', async () => (await import('./oci-life.ts')).ociDelete),
  entry('update', 'change the limits of a container', async () => (await import('./oci-update.ts')).ociUpdate),
  entry('events', 'tell what a container uses', async () => (await import('./oci-events.ts')).ociEvents),
  entry('spec', 'write a configuration to begin with', async () => (await import('./oci-spec.ts')).ociSpec),
  entry('features', 'print what this runtime can do', async () => (await import('./oci-spec.ts')).ociFeaturesVerb),
  entry('checkpoint', 'refused: save a container', async () => (await import('./oci-checkpoint.ts')).ociCheckpoint),
  entry('restore', 'refused: bring back a container', async () => (await import('./oci-checkpoint.ts')).ociRestore),
]
