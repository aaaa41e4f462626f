import type { CommandEntry } from './command.ts'

/** All commands, in the order in which the help lists them. */
export const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'run',
    summary: 'run a command in a container of its own',
    load: async () => (await import('./run.ts')).run,
  },
  {
    name: 'explain',
    summary: 'show step by step, system call by system call, what "tare run" would do, and why',
    load: async () => (await import('./explain.ts')).explain,
  },
  {
    name: 'ns',
    summary: 'list the namespaces of this host: who is in them, who owns them, what holds them; compare processes',
    load: async () => (await import('./ns.ts')).ns,
  },
  {
    name: 'cgroup',
    summary: 'control groups: what processes may use, and what they have used',
    commands: [
      {
        name: 'ls',
        summary: 'list groups with their processes, what they use and their limits',
        load: async () => (await import('./cgroup-ls.ts')).cgroupLs,
      },
      {
        name: 'top',
        summary: 'show live what groups use: cpu, memory, I/O, processes, pressure',
        load: async () => (await import('./cgroup-top.ts')).cgroupTop,
      },
    ],
  },
  {
    name: 'cap',
    summary: 'capabilities: which a process has, which a file gives, and what each allows',
    load: async () => (await import('./cap.ts')).cap,
    commands: [
      {
        name: 'get',
        summary: 'show the capabilities of files',
        load: async () => (await import('./cap-get.ts')).capGet,
      },
      {
        name: 'set',
        summary: 'give files capabilities',
        load: async () => (await import('./cap-set.ts')).capSet,
      },
      {
        name: 'verify',
        summary: 'say whether files have exactly these capabilities',
        load: async () => (await import('./cap-verify.ts')).capVerify,
      },
      {
        name: 'rm',
        summary: 'take the capabilities of files',
        load: async () => (await import('./cap-rm.ts')).capRm,
      },
      {
        name: 'diff',
        summary: 'show in what two processes differ',
        load: async () => (await import('./cap-diff.ts')).capDiff,
      },
      {
        name: 'explain',
        summary: 'say what capabilities allow, by name, or by the mask that /proc shows',
        load: async () => (await import('./cap-explain.ts')).capExplain,
      },
    ],
  },
  {
    name: 'demo',
    summary: 'show what a contained program sees beside what the host has',
    load: async () => (await import('./demo.ts')).demo,
  },
  {
    name: 'info',
    summary: 'show what this host can do for containers, and what to do about what it can not',
    load: async () => (await import('./info.ts')).info,
  },
  {
    name: 'completion',
    summary: 'print a script that teaches a shell to complete the words of tare',
    load: async () => (await import('./completion.ts')).completion,
  },
  {
    name: 'help',
    summary: 'show the help of a command, or which commands there are',
    load: async () => (await import('./help.ts')).help,
  },
  {
    name: 'version',
    summary: 'show the version of tare',
    load: async () => (await import('./version.ts')).version,
  },
]
