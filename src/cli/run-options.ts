import { NETWORK_OPTIONS } from './network-options.ts'

const OPTIONS = [
  {
    long: 'interactive',
    short: 'i',
    description: "The program reads tare's standard input. Without it, there is nothing to be read.",
  },
  {
    long: 'tty',
    short: 't',
    description:
      'Gives the program a terminal of its own, as wide and high as this one. Its standard output and error are one then.',
  },
  {
    long: 'timeout',
    argument: 'TIME',
    description: 'Kills everything in the container after so long (500ms, 5s, 1m30s). The exit status is 137 then.',
  },
  {
    long: 'report',
    argument: 'FILE',
    description:
      'Writes how it ended and what it used to FILE, as JSON. With "-" that goes to standard error, as standard output is the program\'s.',
  },
  { long: 'rm', description: 'Does nothing. A container is always removed when it ends.' },

  {
    long: 'rootfs',
    argument: 'ROOT',
    description:
      'What the program sees as /. "system", the default, is a root of its own with the programs and libraries of the host, read-only, and nothing else of it. "host" is all of the host, unchangeable. Anything else is a directory.',
    group: 'Files',
  },
  {
    long: 'overlay',
    description: 'Keeps changes to the root in memory, and forgets them, instead of changing the directory.',
    group: 'Files',
  },
  {
    long: 'keep',
    argument: 'DIR',
    description: 'As --overlay, but keeps the changes to the root in this directory.',
    group: 'Files',
  },
  {
    long: 'root-size',
    argument: 'SIZE',
    description: 'How much memory files in the root may take, where they are in memory. By default 1g.',
    group: 'Files',
  },
  {
    long: 'read-only',
    description: 'Makes the root read-only. Only /tmp, /run, /var/tmp and mounts can be written to.',
    group: 'Files',
  },
  {
    long: 'volume',
    short: 'v',
    argument: 'SOURCE:TARGET[:OPTIONS]',
    repeatable: true,
    description:
      'Mounts a directory or file of the host. Options, with commas between them: ro, rw, noexec, exec, private, slave, shared, bind (without mounts below), rbind, idmap, noidmap (owners as on the host).',
    group: 'Files',
  },
  {
    long: 'mount',
    argument: 'KEY=VALUE,...',
    repeatable: true,
    description:
      'Mounts something. type=bind,source=DIR,target=DIR[,readonly][,noexec][,bind-propagation=slave][,bind-recursive=disabled]; type=tmpfs,target=DIR[,tmpfs-size=SIZE][,tmpfs-mode=MODE][,exec]; type=overlay,lower=DIR[:DIR...],target=DIR[,keep=DIR].',
    group: 'Files',
  },
  {
    long: 'tmpfs',
    argument: 'TARGET[:OPTIONS]',
    repeatable: true,
    description: 'Mounts an empty file system in memory. Options: size=SIZE, mode=MODE, exec, ro.',
    group: 'Files',
  },
  {
    long: 'device',
    argument: 'HOST[:CONTAINER]',
    repeatable: true,
    description: 'Gives it a device of the host.',
    group: 'Files',
  },

  {
    long: 'workdir',
    short: 'w',
    argument: 'DIR',
    description: 'Where the program starts. By default /.',
    group: 'Process',
  },
  {
    long: 'env',
    short: 'e',
    argument: 'NAME[=VALUE]',
    repeatable: true,
    description: "Sets a variable, or passes on the caller's. None is passed on by itself.",
    group: 'Process',
  },
  {
    long: 'env-file',
    argument: 'FILE',
    repeatable: true,
    description: 'Reads variables from a file, one NAME=VALUE or NAME a line. Those of --env go before.',
    group: 'Process',
  },
  {
    long: 'user',
    short: 'u',
    argument: 'USER[:GROUP]',
    description: 'Runs the program as this user, by name or id. By default root, who has no power outside.',
    group: 'Process',
  },
  {
    long: 'group-add',
    argument: 'GROUP',
    repeatable: true,
    description: 'Adds a group, by name or id.',
    group: 'Process',
  },
  {
    long: 'umask',
    argument: 'MASK',
    description: 'Permission bits that new files lack, in octal. By default 0022.',
    group: 'Process',
  },
  {
    long: 'ulimit',
    argument: 'NAME=SOFT[:HARD]',
    repeatable: true,
    description: 'Sets a limit of each process, such as nofile=1024:2048.',
    group: 'Process',
  },
  {
    long: 'init',
    description:
      'Has a PID 1 beside the program that reaps orphans and passes signals on. That is so by default; --no-init makes the program PID 1.',
    group: 'Process',
  },

  {
    long: 'hostname',
    short: 'h',
    argument: 'NAME',
    description: 'The host name that it sees. By default a random one.',
    group: 'Namespaces',
  },
  {
    long: 'network',
    argument: 'NETWORK',
    choices: ['none', 'host', 'veth'],
    description:
      "Its network: none but a loopback (the default), the host's, or its own with a link to the host (veth), over which it reaches others, and the host reaches it. That takes root.",
    group: 'Network',
  },
  {
    long: 'net',
    argument: 'NETWORK',
    choices: ['none', 'host', 'veth'],
    description: 'The same as --network.',
    group: 'Network',
  },
  {
    long: 'userns',
    argument: 'IDS',
    choices: ['auto', 'host', 'keep-id'],
    description:
      "Whose ids those of the container are. auto takes a range of ids that belongs to nobody else; host takes the caller's own, which takes root; keep-id keeps the caller's id as it is.",
    group: 'Namespaces',
  },
  {
    long: 'uidmap',
    argument: 'INSIDE:OUTSIDE[:SIZE]',
    repeatable: true,
    description: 'Maps user ids of the container to ids of the host.',
    group: 'Namespaces',
  },
  {
    long: 'gidmap',
    argument: 'INSIDE:OUTSIDE[:SIZE]',
    repeatable: true,
    description: 'Maps group ids of the container to ids of the host. By default as --uidmap.',
    group: 'Namespaces',
  },
  {
    long: 'sysctl',
    argument: 'NAME=VALUE',
    repeatable: true,
    description: 'Sets a kernel parameter of its own namespaces, such as net.ipv4.ip_forward=1.',
    group: 'Namespaces',
  },

  {
    long: 'memory',
    short: 'm',
    argument: 'SIZE',
    description: 'The most memory (64m, 1.5g). Beyond it the kernel kills.',
    group: 'Limits',
  },
  {
    long: 'memory-swap',
    argument: 'SIZE',
    description: 'The most memory and swap together; -1 for any amount of swap. By default it gets no swap.',
    group: 'Limits',
  },
  {
    long: 'memory-reservation',
    argument: 'SIZE',
    description: 'What is left to it when the host is short of memory.',
    group: 'Limits',
  },
  {
    long: 'cpus',
    argument: 'NUMBER',
    description: 'How many processors it may use, such as 0.5.',
    group: 'Limits',
  },
  {
    long: 'cpu-shares',
    short: 'c',
    argument: 'NUMBER',
    description: 'Its share of processors when there are not enough, 2 to 262144. By default 1024.',
    group: 'Limits',
  },
  { long: 'cpuset-cpus', argument: 'LIST', description: 'Which processors, such as 0-3,8.', group: 'Limits' },
  { long: 'cpuset-mems', argument: 'LIST', description: 'Which memory nodes.', group: 'Limits' },
  {
    long: 'pids-limit',
    argument: 'NUMBER',
    description: 'How many processes and threads; -1 for no limit.',
    group: 'Limits',
  },
  {
    long: 'blkio-weight',
    argument: 'NUMBER',
    description: 'Its share of block I/O, 10 to 1000. By default 500.',
    group: 'Limits',
  },
  {
    long: 'device-read-bps',
    argument: 'DEVICE:RATE',
    repeatable: true,
    description: 'Bytes a second read of a block device, such as /dev/sda:10m.',
    group: 'Limits',
  },
  {
    long: 'device-write-bps',
    argument: 'DEVICE:RATE',
    repeatable: true,
    description: 'Bytes a second written to a block device.',
    group: 'Limits',
  },
  {
    long: 'device-read-iops',
    argument: 'DEVICE:RATE',
    repeatable: true,
    description: 'Reads a second of a block device.',
    group: 'Limits',
  },
  {
    long: 'device-write-iops',
    argument: 'DEVICE:RATE',
    repeatable: true,
    description: 'Writes a second to a block device.',
    group: 'Limits',
  },
  {
    long: 'cgroup',
    argument: 'FILE=VALUE',
    repeatable: true,
    description: 'Writes a value to a file of its control group of version 2, such as memory.high=50m.',
    group: 'Limits',
  },

  {
    long: 'cap-add',
    argument: 'CAPABILITY',
    repeatable: true,
    description: 'Adds a capability (net_admin, CAP_NET_ADMIN, all).',
    group: 'Privileges',
  },
  {
    long: 'cap-drop',
    argument: 'CAPABILITY',
    repeatable: true,
    description: 'Takes away a capability, or all.',
    group: 'Privileges',
  },
  {
    long: 'security-opt',
    argument: 'OPTION',
    repeatable: true,
    description:
      "seccomp=FILE filters system calls by a profile of the OCI's form, seccomp=unconfined by none. no-new-privileges=false lets set-user-id programs work.",
    group: 'Privileges',
  },

  {
    long: 'detach',
    short: 'd',
    description: 'Not there yet. A container ends with the tare that started it.',
    group: 'Refused',
  },
  {
    long: 'privileged',
    description:
      'Nothing takes all walls down at once. Name what it needs by --cap-add, --device, --security-opt, --userns=host or --network=host.',
    group: 'Refused',
  },
] as const

/** All options of `tare run`, which `tare explain` takes too. Names are docker's where docker has them. */
export const RUN_OPTIONS: readonly [...typeof OPTIONS, ...typeof NETWORK_OPTIONS] = [...OPTIONS, ...NETWORK_OPTIONS]
