import type { OciVerb } from './oci-globals.ts'
import { ociVerb } from './oci-globals.ts'
import { UsageError } from './usage-error.ts'

/** Engines ask for its help to find out whether there is such a verb. */
const refusal = (verb: string): OciVerb =>
  ociVerb({
    description: `Is refused: to ${verb} a container takes the processes' state out of the kernel and into it again, which Tare does not do. An engine that asks is told so, and nothing happens.`,
    options: [],
    operands: [{ name: 'ARGUMENT', optional: true, repeatable: true }],
    examples: [{ description: 'be told so', command: `tare oci ${verb} box` }],
    run: () => {
      throw new UsageError(
        `cannot ${verb} a container: this runtime does not save or bring back the state of processes`,
      )
    },
  })

export const ociCheckpoint: OciVerb = refusal('checkpoint')
export const ociRestore: OciVerb = refusal('restore')
