// What the tests of containers with a link share: a network of their own, in which this process is the host.
import { execFileSync, spawn, spawnSync } from 'node:child_process'

import { once } from 'node:events'
import { existsSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { Server } from 'node:net'
import { addAddress } from '../../src/linux/netlink/address.ts'
import { createLink, setLink } from '../../src/linux/netlink/link-change.ts'
import { listLinks } from '../../src/linux/netlink/link.ts'
import { listTables } from '../../src/linux/netlink/nft-table.ts'
import { addRoute } from '../../src/linux/netlink/route.ts'
import { openNetlink } from '../../src/linux/netlink/socket.ts'
import { syscall, trySyscall } from '../../src/linux/syscall.ts'

const CLONE_NEWNET = 0x40000000
const OWN = '/proc/thread-self/ns/net'

/** This host's address in the network that it shares with {@link Elsewhere}. */
export const HOST = '192.0.2.1'
export const ELSEWHERE = '192.0.2.2'
const PYTHON = '/usr/bin/python3'

/** Why a host can't run these tests; undefined if it can. */
export const lacksNetworks = (): string | undefined => {
  if (process.geteuid?.() !== 0) return 'needs root'
  if (!existsSync(PYTHON)) return 'needs python3'
  if (spawnSync('nft', ['--version']).status !== 0) return 'needs nft (nftables)'
  if (spawnSync('nsenter', ['--version']).status !== 0) return 'needs nsenter (util-linux)'
  const probe = 'table inet t { chain c { type nat hook postrouting priority 0; ip saddr 192.0.2.9 masquerade; }; }'
  if (spawnSync('unshare', ['-n', 'nft', probe]).status !== 0) return 'needs nf_tables with nat'
  return undefined
}

const open = (): number => syscall({ operation: 'open', target: OWN }, 'openat', -100, OWN, 0x80000, 0)

const newNamespace = (): void => {
  syscall({ operation: 'make a network' }, 'unshare', CLONE_NEWNET)
}

/** A host beside this one. Programs are run on it by `nsenter`. */
export interface Elsewhere {
  readonly nsenter: readonly string[]
}

/**
 * Leaves the machine's own network for one that is made here, and links it with another. All that this process starts
 * from now on is in it; to be called once.
 */
export const enterScene = (): Elsewhere => {
  newNamespace()
  const here = open()
  newNamespace()
  const there = open()
  syscall({ operation: 'return' }, 'setns', here, CLONE_NEWNET)
  trySyscall('close', here)
  using links = openNetlink()
  using other = openNetlink({ namespace: there })
  createLink(links, { kind: 'veth', name: 'uplink', peer: { name: 'eth0', namespace: { fd: there } } })
  addAddress(links, 'uplink', { address: `${HOST}/24` })
  addAddress(other, 'eth0', { address: `${ELSEWHERE}/24` })
  for (const name of ['lo', 'uplink']) setLink(links, name, { up: true })
  for (const name of ['lo', 'eth0']) setLink(other, name, { up: true })
  addRoute(links, { destination: 'default', via: ELSEWHERE })
  // As a neighbour would who wants to know what is behind this host.
  addRoute(other, { destination: '10.213.0.0/16', via: HOST })
  return { nsenter: ['nsenter', `--net=/proc/${process.pid}/fd/${there}`] }
}

export const setForwarding = (value: '0' | '1'): void =>
  writeFileSync('/proc/sys/net/ipv4/conf/uplink/forwarding', value)

/** Links and tables that are there on this host besides those of the scene. */
export const leftOfLinks = (): readonly string[] => {
  using links = openNetlink()
  using rules = openNetlink({ protocol: 'netfilter' })
  const names = listLinks(links).map(({ name }) => name)
  return [...names.filter((name) => !['lo', 'uplink'].includes(name)), ...listTables(rules)]
}

export const ruleset = (): string => execFileSync('nft', ['list', 'ruleset'], { encoding: 'utf8' })

/** Answers every connection, and every datagram, with the address from which it came; says when it listens. */
const SERVER = `
import socket, sys, threading
port = int(sys.argv[1])
tcp = socket.create_server(('0.0.0.0', port))
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(('0.0.0.0', port))
def answer():
    while True:
        _, peer = udp.recvfrom(100)
        udp.sendto(peer[0].encode(), peer)
threading.Thread(target=answer, daemon=True).start()
print('listening', flush=True)
while True:
    connection, peer = tcp.accept()
    connection.sendall(peer[0].encode())
    connection.close()
`

/** Prints what it is told by a server, or why it isn't. */
const CLIENT = `
import errno, socket, sys
kind, address, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
s = socket.socket(socket.AF_INET, socket.SOCK_STREAM if kind == 'tcp' else socket.SOCK_DGRAM)
s.settimeout(5 if kind == 'tcp' else 1)
try:
    s.connect((address, port))
    s.send(b'?')
    print(s.recv(100).decode(), end='')
except TimeoutError:
    print('ETIMEDOUT', end='')
except OSError as error:
    print(errno.errorcode[error.errno], end='')
`

export const serve = (port: number): readonly string[] => [PYTHON, '-u', '-c', SERVER, String(port)]

export type Transport = 'tcp' | 'udp'

export const ask = (kind: Transport, address: string, port: number): readonly string[] => [
  PYTHON,
  '-c',
  CLIENT,
  kind,
  address,
  String(port),
]

/** What a server says to one who asks from elsewhere. */
export const askFromElsewhere = ({ nsenter }: Elsewhere, kind: Transport, address: string, port: number): string => {
  const [command = '', ...args] = [...nsenter, ...ask(kind, address, port)]
  return execFileSync(command, args, { encoding: 'utf8' })
}

/** What a server says to one who asks from this host. */
export const askFromHere = async (kind: Transport, address: string, port: number): Promise<string> => {
  const [command = '', ...args] = ask(kind, address, port)
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const chunks: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
  await once(child, 'close')
  return Buffer.concat(chunks).toString()
}

/** A server elsewhere; resolves with what ends it. */
export const serveElsewhere = async ({ nsenter }: Elsewhere, port: number): Promise<() => Promise<void>> => {
  const [command = '', ...args] = [...nsenter, ...serve(port)]
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(child.stdout, 'data')
  const closed = once(child, 'close')
  return async () => {
    child.kill('SIGKILL')
    await closed
  }
}

/** A server of this host's own; how often somebody came. */
export const serveHere = async (
  address: string,
): Promise<{ readonly port: number; readonly visits: () => number; readonly close: () => Promise<void> }> => {
  let visits = 0
  const server: Server = createServer((socket) => {
    visits += 1
    socket.resume().end('host')
  })
  server.listen(0, address)
  await once(server, 'listening')
  const closed = once(server, 'close')
  const bound = server.address()
  return {
    port: typeof bound === 'object' && bound !== null ? bound.port : 0,
    visits: () => visits,
    close: async () => {
      server.close()
      await closed
    },
  }
}
