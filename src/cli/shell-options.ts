import { RUN_OPTIONS } from './run-options.ts'

/** Those of `tare run` that a system has no use for, or that mean something else for it. */
const LEFT_OUT = [
  'interactive',
  'tty',
  'rm',
  'rootfs',
  'overlay',
  'keep',
  'detach',
  'privileged',
  'net',
  'root-size',
  'workdir',
  'user',
  'hostname',
  'security-opt',
] as const

type LeftOut = (typeof LEFT_OUT)[number]
type RunOption = (typeof RUN_OPTIONS)[number]
type Taken = Exclude<RunOption, { readonly long: LeftOut }>

const isTaken = (option: RunOption): option is Taken => !LEFT_OUT.some((long) => long === option.long)

const OWN = [
  { long: 'ephemeral', description: 'Throws all changes away at the end: they are kept in memory meanwhile.' },
  {
    long: 'root-size',
    argument: 'SIZE',
    description: 'How much memory the changes of --ephemeral may take. By default 1g.',
  },
  {
    long: 'user',
    short: 'u',
    argument: 'USER[:GROUP]',
    description:
      "Whose shell it is, by a name or an id of the system's own. By default root, who has no power outside.",
    group: 'Process',
  },
  {
    long: 'workdir',
    short: 'w',
    argument: 'DIR',
    description: "Where it starts. By default in the user's home, or in / if there is none.",
    group: 'Process',
  },
  {
    long: 'hostname',
    short: 'h',
    argument: 'NAME',
    description: "The host name that it sees. By default the directory's name.",
    group: 'Namespaces',
  },
  {
    long: 'security-opt',
    argument: 'OPTION',
    repeatable: true,
    description:
      "seccomp=FILE filters system calls by a profile of the OCI's form, seccomp=unconfined by none. no-new-privileges keeps set-user-id programs such as su from working.",
    group: 'Privileges',
  },
] as const

/** The options of `tare shell`: its own, and those of `tare run`. */
export const SHELL_OPTIONS: readonly ((typeof OWN)[number] | Taken)[] = [...OWN, ...RUN_OPTIONS.filter(isTaken)]
