import { deleteContainer, killContainer, pauseContainer, resumeContainer, startContainer } from '../index.ts'
import { signalNumber } from '../linux/index.ts'
import type { OciVerb } from './oci-globals.ts'
import { ociVerb, warner } from './oci-globals.ts'

const IDS = [{ name: 'ID' }] as const

export const ociStart: OciVerb = ociVerb({
  description:
    'Lets the process of a created container become its program, and returns when it has. If that fails the container is stopped, and the error says why.',
  options: [],
  operands: IDS,
  examples: [{ description: 'start a container', command: 'tare oci start box' }],
  run: async ({ operands: [id = ''] }, { root }) => {
    await startContainer(root, id)
    return 0
  },
})

export const ociKill: OciVerb = ociVerb({
  description: 'Sends a signal to the first process of a container, by default SIGTERM.',
  options: [
    {
      long: 'all',
      short: 'a',
      description: 'To all of its processes, also when the first one has ended.',
    },
  ],
  operands: [{ name: 'ID' }, { name: 'SIGNAL', optional: true }],
  examples: [
    { description: 'ask it to end', command: 'tare oci kill box' },
    { description: 'end all of it', command: 'tare oci kill --all box KILL' },
  ],
  run: ({ options, operands: [id = '', signal = 'SIGTERM'] }, { root }) => {
    killContainer({ root, id, signal: signalNumber(signal), all: options.all === true })
    return 0
  },
})

export const ociDelete: OciVerb = ociVerb({
  description: 'Removes a container that has ended: its control groups, and what is known of it.',
  options: [
    {
      long: 'force',
      short: 'f',
      description: 'Also one that runs, which is killed, or was left half made. That there is none is no error.',
    },
  ],
  operands: IDS,
  examples: [{ description: 'remove a container, whatever it does', command: 'tare oci delete --force box' }],
  run: async ({ options, operands: [id = ''], terminal }, globals) => {
    const { root } = globals
    await deleteContainer({ root, id, force: options.force === true, warn: warner(globals, terminal) })
    return 0
  },
})

export const ociPause: OciVerb = ociVerb({
  description: 'Stops all processes of a container, by the freezer of its control groups.',
  options: [],
  operands: IDS,
  examples: [{ description: 'stop a container for a while', command: 'tare oci pause box' }],
  run: async ({ operands: [id = ''] }, { root }) => {
    await pauseContainer(root, id)
    return 0
  },
})

export const ociResume: OciVerb = ociVerb({
  description: 'Lets the processes of a paused container run again.',
  options: [],
  operands: IDS,
  examples: [{ description: 'let it go on', command: 'tare oci resume box' }],
  run: ({ operands: [id = ''] }, { root }) => {
    resumeContainer(root, id)
    return 0
  },
})
