import type { CommandEntry } from './command.ts'
import { OCI_VERBS } from './oci-verbs.ts'

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
    summary: 'list all namespaces: who is in them, who owns them, what holds them; compare those of processes',
    load: async () => (await import('./ns.ts')).ns,
  },
  {
    name: 'ps',
    summary: 'list the processes of containers, with their ids on both sides, whoever made them',
    load: async () => (await import('./ps.ts')).ps,
  },
  {
    name: 'unshare',
    summary: 'run a program in new namespaces',
    load: async () => (await import('./unshare.ts')).unshare,
  },
  {
    name: 'enter',
    summary: 'run a program in namespaces of others',
    load: async () => (await import('./enter.ts')).enter,
  },
  {
    name: 'chroot',
    summary: 'a root of its own for a program, with what it needs and nothing else',
    commands: [
      {
        name: 'build',
        summary: 'build a root from what programs need',
        load: async () => (await import('./chroot-build.ts')).chrootBuild,
      },
      {
        name: 'run',
        summary: 'run a command in another root, with no other wall',
        load: async () => (await import('./chroot-run.ts')).chrootRun,
      },
    ],
  },
  {
    name: 'bootstrap',
    summary: "a directory with a distribution in it, from the distribution's own packages",
    load: async () => (await import('./bootstrap.ts')).bootstrapCommand,
  },
  {
    name: 'shell',
    summary: 'a shell, or a command, in the system that a directory holds, as in single-user mode',
    load: async () => (await import('./shell.ts')).shell,
  },
  {
    name: 'export',
    summary: 'write the system of a machine to a file: an archive, or an OCI image',
    load: async () => (await import('./export.ts')).exportCommand,
  },
  {
    name: 'import',
    summary: 'a directory with the system of an archive, or of an OCI image, in it',
    load: async () => (await import('./import.ts')).importCommand,
  },
  {
    name: 'clone',
    summary: 'a machine like another one, with a machine id of its own',
    load: async () => (await import('./clone.ts')).clone,
  },
  {
    name: 'snapshot',
    summary: 'keep the system of a machine as it is, and go back to that',
    load: async () => (await import('./snapshot.ts')).snapshot,
    commands: [
      {
        name: 'ls',
        summary: 'list the snapshots of a machine',
        load: async () => (await import('./snapshot-ls.ts')).snapshotLs,
      },
      {
        name: 'restore',
        summary: 'make a machine what it was at a snapshot',
        load: async () => (await import('./snapshot-restore.ts')).snapshotRestore,
      },
      {
        name: 'rm',
        summary: 'remove snapshots of a machine',
        load: async () => (await import('./snapshot-rm.ts')).snapshotRm,
      },
    ],
  },
  {
    name: 'passwd',
    summary: 'set the password of a user in the system that a directory holds',
    load: async () => (await import('./passwd.ts')).passwd,
  },
  {
    name: 'boot',
    summary: 'boot the system in a directory, with its own init, to a login on this terminal or in the background',
    load: async () => (await import('./boot.ts')).boot,
    commands: [
      {
        name: 'ls',
        summary: 'list the machines that are running',
        load: async () => (await import('./boot-ls.ts')).bootLs,
      },
    ],
  },
  {
    name: 'exec',
    summary: 'run a program in a machine that is running',
    load: async () => (await import('./exec.ts')).exec,
  },
  {
    name: 'attach',
    summary: 'connect this terminal with the console of a machine in the background',
    load: async () => (await import('./attach-machine.ts')).attachMachine,
  },
  {
    name: 'logs',
    summary: 'show what the console of a machine in the background has said',
    load: async () => (await import('./logs.ts')).logs,
  },
  {
    name: 'poweroff',
    summary: 'have a machine stop its services and switch off',
    load: async () => (await import('./poweroff.ts')).poweroff,
  },
  {
    name: 'reboot',
    summary: 'have a machine stop its services and boot anew',
    load: async () => (await import('./reboot.ts')).reboot,
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
        name: 'create',
        summary: 'make a group, and see the files that the kernel puts there',
        load: async () => (await import('./cgroup-create.ts')).cgroupCreate,
      },
      {
        name: 'set',
        summary: 'change limits and other settings of a group',
        load: async () => (await import('./cgroup-set.ts')).cgroupSet,
      },
      {
        name: 'get',
        summary: 'show what a group has set and used, in words and raw',
        load: async () => (await import('./cgroup-get.ts')).cgroupGet,
      },
      {
        name: 'move',
        summary: 'move processes into a group',
        load: async () => (await import('./cgroup-move.ts')).cgroupMove,
      },
      {
        name: 'freeze',
        summary: 'stop all processes of a group',
        load: async () => (await import('./cgroup-freeze.ts')).cgroupFreeze,
      },
      {
        name: 'thaw',
        summary: 'let the processes of a frozen group go on',
        load: async () => (await import('./cgroup-freeze.ts')).cgroupThaw,
      },
      {
        name: 'kill',
        summary: 'kill all processes of a group',
        load: async () => (await import('./cgroup-freeze.ts')).cgroupKill,
      },
      {
        name: 'rm',
        summary: 'remove a group',
        load: async () => (await import('./cgroup-rm.ts')).cgroupRm,
      },
      {
        name: 'run',
        summary: 'run a program in a group, or in one made for it',
        load: async () => (await import('./cgroup-run.ts')).cgroupRun,
      },
      {
        name: 'top',
        summary: 'show live what groups use: cpu, memory, I/O, processes, pressure',
        load: async () => (await import('./cgroup-top.ts')).cgroupTop,
      },
      {
        name: 'watch',
        summary: 'tell what happens to a group as it happens: memory, kills, freezing, pressure',
        load: async () => (await import('./cgroup-watch.ts')).cgroupWatch,
      },
      {
        name: 'demo',
        summary: 'show in half a minute what control groups do, measured before and after',
        load: async () => (await import('./cgroup-demo.ts')).cgroupDemo,
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
        summary: 'take the capabilities of files away',
        load: async () => (await import('./cap-rm.ts')).capRm,
      },
      {
        name: 'run',
        summary: 'start a program with chosen capabilities',
        load: async () => (await import('./cap-run.ts')).capRun,
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
    name: 'oci',
    summary: 'the OCI runtime: containers of bundles, as engines call runc or crun',
    load: async () => (await import('./oci.ts')).oci,
    commands: OCI_VERBS,
  },
  {
    name: 'audit',
    summary: 'show what really contains a process, wall by wall, and what is open',
    load: async () => (await import('./audit.ts')).audit,
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

/** What Tare runs itself: no help lists it, no shell completes it. */
export const INTERNAL: readonly CommandEntry[] = [
  {
    name: 'machine-ended',
    summary: 'clean up after a machine that has ended, or boot it again',
    load: async () => (await import('./machine-ended.ts')).machineEndedCommand,
  },
  {
    name: 'tree-work',
    summary: 'work on the files of a system as root of a user namespace',
    load: async () => (await import('./tree-work.ts')).treeWork,
  },
]
