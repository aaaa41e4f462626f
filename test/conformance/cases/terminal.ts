import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Case } from '../case.ts'
import { lives } from '../case.ts'
import type { Config } from '../config.ts'
import type { Container } from '../container.ts'

const PROCESS = 'config.md, Process'

/** Takes a terminal from a socket, and writes what is printed on it to a file until nobody has it open any more. */
const RECEIVER = `
import os, signal, socket, sys
signal.alarm(30)
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen(1)
connection = listener.accept()[0]
_, (terminal, *_), _, _ = socket.recv_fds(connection, 4096, 4)
with open(sys.argv[2], "wb", buffering=0) as output:
    while True:
        try:
            data = os.read(terminal, 4096)
        except OSError:
            break
        if not data:
            break
        output.write(data)
`

const lacks = (): string | undefined =>
  spawnSync('python3', ['-c', 'import socket; socket.recv_fds'], { stdio: 'ignore' }).status === 0
    ? undefined
    : 'needs python3 (3.9) to take the terminal'

/** Runs a container with a terminal to its end, and returns what it prints there. */
const printed = async (container: Container): Promise<string> => {
  const socket = container.path('console.sock')
  // It ends by itself; whoever waits for orphans waits for it too, so that its end is nothing to be told of.
  spawn('python3', ['-c', RECEIVER, socket, container.path('terminal')], { stdio: 'ignore' }).unref()
  for (let tries = 0; tries < 500 && !existsSync(socket); tries++) await sleep(10)
  container.must('create', '--bundle', container.bundle, '--console-socket', socket, container.id)
  container.must('start', container.id)
  await container.until('stopped')
  await container.untilSays('terminal', 'end\r\n')
  return container
    .read('terminal')
    .replaceAll('\r\n', '\n')
    .replace(/end\n$/, '')
}

const shows = (must: string, change: Config, script: string, output: string): Case =>
  lives(
    PROCESS,
    must,
    { process: { terminal: true, args: ['sh', '-c', `${script}; echo end`], ...change } },
    async (container) => assert.equal(await printed(container), output),
    { lacks },
  )

export const terminalCases: readonly Case[] = [
  shows(
    'with a terminal, standard input, output and error are it',
    {},
    'for fd in 0 1 2; do test -t $fd && readlink /proc/self/fd/$fd; done',
    '/dev/pts/0\n/dev/pts/0\n/dev/pts/0\n',
  ),
  shows('consoleSize is the size of the terminal', { consoleSize: { height: 31, width: 77 } }, 'stty size', '31 77\n'),
  shows(
    '/dev/console is the terminal',
    {},
    'stat -c "%F %t" /dev/console; echo there > /dev/console',
    'character special file 88\nthere\n',
  ),
  shows('it is the controlling terminal', {}, 'echo there > /dev/tty', 'there\n'),
  lives(
    PROCESS,
    'a terminal that nobody takes is an error',
    { process: { terminal: true } },
    (container) => void container.mustNot('create', '--bundle', container.bundle, container.id),
  ),
]
