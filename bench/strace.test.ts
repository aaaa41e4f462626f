import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compareStarts, differences } from './floor-sync.ts'
import { median, quantile } from './statistics.ts'
import { countByName, parseStrace, startOf } from './strace.ts'

const TRACE = `10 openat(AT_FDCWD, "/a (b) = c", O_RDONLY|O_CLOEXEC) = -1 ENOENT (No such file or directory)
10 clone3({flags=CLONE_VM|CLONE_NEWUSER|CLONE_NEWPID}, 88) = 11
11 unshare(CLONE_NEWNS <unfinished ...>
10 close(3)                         = 0
11 <... unshare resumed>)           = 0
10 --- SIGCHLD {si_signo=SIGCHLD} ---
11 clone(child_stack=NULL, flags=SIGCHLD) = 2
12 setsid( <unfinished ...>
11 rt_sigtimedwait(~[],  <unfinished ...>
12 <... setsid resumed>)            = 2
12 execve("/true", ["/true"], 0x7f00 /* 3 vars */) = 0
12 exit_group(0)                    = ?
12 +++ exited with 0 +++
11 <... rt_sigtimedwait resumed>{si_signo=SIGCHLD}, NULL, 8) = 17 (SIGCHLD)
11 waitid(P_ALL, 0, {}, WNOHANG|WEXITED|__WALL, NULL) = 0
`

test('a trace is read in the order in which calls began, and interrupted ones are put together', () => {
  const calls = parseStrace(TRACE)
  assert.deepEqual(
    calls.map(({ pid, name }) => `${pid} ${name}`),
    [
      '10 openat',
      '10 clone3',
      '11 unshare',
      '10 close',
      '11 clone',
      '12 setsid',
      '11 rt_sigtimedwait',
      '12 execve',
      '12 exit_group',
      '11 waitid',
    ],
  )
  assert.equal(calls[0]?.args, 'AT_FDCWD, "/a (b) = c", O_RDONLY|O_CLOEXEC')
  assert.equal(calls[0]?.result, '-1 ENOENT (No such file or directory)')
  assert.equal(calls[2]?.args, 'CLONE_NEWNS')
  assert.equal(calls[6]?.args, '~[], {si_signo=SIGCHLD}, NULL, 8')
})

test('a call that never came back is counted', () => {
  const [call] = parseStrace('7 pause( <unfinished ...>\n7 +++ killed by SIGKILL +++\n')
  assert.deepEqual(call, { pid: 7, name: 'pause', args: '', result: '?' })
})

test('a start goes from the clone to the exec, with what PID 1 does until it waits', () => {
  const { stage, program } = startOf(parseStrace(TRACE), '/true')
  assert.deepEqual(
    stage.map(({ name }) => name),
    ['unshare', 'clone', 'rt_sigtimedwait'],
  )
  assert.deepEqual(
    program.map(({ name }) => name),
    ['setsid', 'execve'],
  )
  assert.deepEqual(Object.fromEntries(countByName(program)), { setsid: 1, execve: 1 })
  assert.throws(() => startOf(parseStrace(TRACE), '/false'), /no start of \/false/)
})

test('what two lists have in common is no difference, in whatever place', () => {
  assert.deepEqual(differences(['a', 'b', 'c'], ['a', 'c', 'd']), ['- b', '+ d'])
  assert.deepEqual(differences(['a'], ['a']), [])
  assert.deepEqual(differences([], ['a']), ['+ a'])
})

test('addresses and host names are no difference, other arguments are', () => {
  const start = (args: string): ReturnType<typeof startOf> => ({
    stage: [{ pid: 1, name: 'write', args, result: '1' }],
    program: [],
  })
  const compare = (a: string, b: string): readonly string[] => compareStarts(start(a), start(b), '/x/true')
  assert.deepEqual(compare('3, "1\\t0f1e2d3c4b5a\\n", 0x7f01', '3, "1\\tffffffffffff\\n", 0x7f02'), [])
  assert.deepEqual(compare('3, "a", 1', '4, "a", 1'), ['- write(3, "a", 1)', '+ write(4, "a", 1)'])
})

test('quantiles lie between samples', () => {
  assert.equal(median([3, 1, 2]), 2)
  assert.equal(median([4, 1, 2, 3]), 2.5)
  assert.equal(quantile([10, 20, 30, 40, 50], 0.25), 20)
  assert.throws(() => median([]), /no samples/)
})
