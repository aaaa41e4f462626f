/** What goes with --network=veth. */
export const NETWORK_OPTIONS = [
  {
    long: 'publish',
    short: 'p',
    argument: '[HOSTIP:]HOSTPORT:PORT[/tcp|udp]',
    repeatable: true,
    description:
      "With --network=veth, makes PORT of the container reachable as HOSTPORT of the host, from anywhere; with HOSTIP only by that address of the host's, such as 127.0.0.1.",
    group: 'Network',
  },
  {
    long: 'ip',
    argument: 'ADDRESS',
    description: 'With --network=veth, its IPv4 address. By default one that is free.',
    group: 'Network',
  },
  {
    long: 'dns',
    argument: 'ADDRESS',
    repeatable: true,
    description: "With --network=veth, a name server for it. By default the host's.",
    group: 'Network',
  },
] as const
