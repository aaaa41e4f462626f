// Roots that are built and run in: programs that everybody knows, each from nothing but its closure.
import assert from 'node:assert/strict'
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Called, CallOptions } from './tare.ts'
import { ended, isRoot, NOBODY, NODE_ARGS, PROGRAM, tare } from './tare.ts'

const base = mkdtempSync(join(tmpdir(), 'tare-chroot-'))
chmodSync(base, 0o777)
after(() => rmSync(base, { recursive: true, force: true }))

const env = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' }
const root = { skip: isRoot ? false : 'needs root' }

/** Why programs can't be taken; false if all are there. */
const lacks = (...programs: readonly string[]): string | false => {
  const missing = programs.filter((each) => spawnSync('sh', ['-c', `command -v ${each}`], { env }).status !== 0)
  return missing.length === 0 ? false : `needs ${missing.join(' and ')}`
}

const needs = (...programs: readonly string[]): { readonly skip: string | false } => ({
  skip: isRoot ? lacks(...programs) : 'needs root',
})

const call = (args: readonly string[], options: CallOptions = {}): Called =>
  tare(['chroot', ...args], { ...options, env: { ...env, ...options.env } })

const build = (output: string, args: readonly string[], options: CallOptions = {}): string => {
  const path = join(base, output)
  const { status, stderr } = call(['build', '--quiet', '-o', path, ...args], options)
  assert.equal(status, 0, stderr)
  return path
}

const runIn = (args: readonly string[], options: CallOptions = {}): string => {
  const { status, stdout, stderr } = call(['run', ...args], options)
  assert.equal(status, 0, stderr)
  return stdout
}

test('bash', needs('bash'), () => {
  const jail = build('bash', ['bash'])
  assert.equal(
    runIn([jail, '--', 'bash', '-c', 'x=(/*); echo "${x[@]}" $UID']),
    '/dev /lib /lib64 /proc /sys /tmp /usr 0\n',
  )
  assert.equal(runIn([jail, 'bash', '-c', 'read line; echo "<$line>"'], { input: 'typed\n' }), '<typed>\n')
})

test('python with modules that it loads by itself: a trace knows of them', needs('/usr/bin/python3'), () => {
  const bare = build('python-bare', ['/usr/bin/python3'])
  const script =
    'import ssl, sqlite3, sys; print(sqlite3.connect(":memory:").execute("select 6 * 7").fetchone()[0], bool(ssl.create_default_context()))'
  assert.match(call(['run', bare, '--', 'python3', '-c', script]).stderr, /No module named 'encodings'/)
  const jail = build('python', ['/usr/bin/python3', `--trace=/usr/bin/python3 -c '${script}'`])
  assert.equal(runIn([jail, '--', 'python3', '-c', script]), '42 True\n')
})

test('nginx serves a page', needs('nginx', 'ip', 'unshare'), () => {
  mkdirSync(join(base, 'site'))
  writeFileSync(join(base, 'site/index.html'), 'from the jail')
  const args = [
    'nginx',
    '--trace=nginx -t',
    '--account',
    'www-data',
    '--include',
    `${join(base, 'site')}:/var/www/html`,
  ]
  // In a network of its own from the beginning: its configuration is checked by taking its port.
  const jail = join(base, 'nginx')
  const script = `
    ip link set lo up
    "$@" build --quiet -o "$JAIL" ${args.map((word) => `'${word}'`).join(' ')} || exit
    "$@" run --dev "$JAIL" -- nginx -g 'daemon off;' &
    "$NODE" -e '
      const ask = async (left) => {
        const said = await fetch("http://127.0.0.1/").then((answer) => answer.text()).catch((error) => error)
        if (typeof said === "string") return console.log(said)
        if (left === 0) throw said
        setTimeout(ask, 50, left - 1)
      }
      ask(100)'
    kill $!
    wait $!
  `
  const words = ['-n', 'sh', '-c', script, 'sh', PROGRAM, ...NODE_ARGS, 'chroot']
  const { stdout, stderr, status } = spawnSync('unshare', words, {
    encoding: 'utf8',
    env: { ...env, JAIL: jail, NODE: process.execPath },
  })
  assert.match(stdout, /^built .*\nfrom the jail\n$/, stderr)
  assert.equal(status, 0, stderr)
  assert.equal(existsSync(join(jail, 'etc/shadow')), false)
})

test('git clones a repository', needs('git'), () => {
  const repository = join(base, 'repository')
  const git = (...args: readonly string[]): void =>
    void execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@b', ...args], {
      cwd: base,
      env: { ...env, HOME: base },
      stdio: 'ignore',
    })
  git('init', repository)
  writeFileSync(join(repository, 'file'), 'content')
  git('-C', repository, 'add', 'file')
  git('-C', repository, 'commit', '-m', 'first')
  const trace = `git clone -q ${repository} ${join(base, 'traced')}`
  const jail = build('git', ['git', `--trace=${trace}`, '--include', `${repository}:/srv/repository`])
  assert.equal(
    runIn(['--dev', jail, 'git', 'clone', '-q', '/srv/repository', '/tmp/clone'], { env: { HOME: '/tmp' } }),
    '',
  )
  assert.equal(
    runIn(['--dev', jail, 'git', '-C', '/tmp/clone', 'show', 'HEAD:file'], { env: { HOME: '/tmp' } }),
    'content',
  )
})

test('node runs a script', root, () => {
  const script = join(base, 'script.mjs')
  writeFileSync(
    script,
    "import { readdirSync } from 'node:fs'; console.log(readdirSync('/srv').join(), process.argv[2])",
  )
  const jail = build('node', [process.execPath, '--include', `${script}:/srv/script.mjs`])
  assert.equal(runIn([jail, process.execPath, '/srv/script.mjs', 'argument']), 'script.mjs argument\n')
})

test('a trace without a command runs each program by itself', needs('bash'), () => {
  const jail = build('itself', ['bash', '/usr/bin/env', '--trace'])
  const traced = readdirSync(join(jail, 'etc'))
  assert.ok(traced.includes('nsswitch.conf') || traced.includes('passwd'), 'bash asks for its user')
})

test('a script brings its interpreter', needs('perl'), () => {
  const script = join(base, 'greet')
  writeFileSync(script, '#!/usr/bin/env perl\nprint "hello\\n";\n')
  chmodSync(script, 0o755)
  const jail = build('script', [script])
  assert.equal(runIn([jail, script]), 'hello\n')
})

test(
  'libraries beside a program, for each kind of processor: the loader chooses in the root as it does outside',
  needs('gcc'),
  () => {
    const app = join(base, 'app')
    const library = (directory: string, text: string): void => {
      mkdirSync(directory, { recursive: true })
      writeFileSync(join(base, 'library.c'), `const char *name(void) { return "${text}"; }`)
      execFileSync('gcc', ['-shared', '-fPIC', '-o', join(directory, 'libname.so'), join(base, 'library.c')])
    }
    library(join(app, 'lib'), 'any')
    for (const level of ['x86-64-v2', 'x86-64-v3', 'x86-64-v4']) library(join(app, 'lib/glibc-hwcaps', level), level)
    mkdirSync(join(app, 'bin'))
    const source = 'extern int puts(const char *); const char *name(void); int main(void) { return puts(name()) < 0; }'
    writeFileSync(join(base, 'main.c'), source)
    const flags = ['-L', join(app, 'lib'), '-lname', '-Wl,-rpath,$ORIGIN/../lib']
    execFileSync('gcc', ['-o', join(app, 'bin/program'), join(base, 'main.c'), ...flags])
    const outside = execFileSync(join(app, 'bin/program'), { encoding: 'utf8' })
    const jail = join(base, 'variants')
    const { stderr } = call(['build', '-q', '-o', jail, join(app, 'bin/program')])
    assert.match(
      stderr,
      /^tare: .*\/program finds libraries by \$ORIGIN, which its loader learns from \/proc: it must be mounted\n$/,
    )

    assert.equal(runIn(['--proc', jail, join(app, 'bin/program')]), outside)
    assert.equal(readdirSync(join(jail, app, 'lib/glibc-hwcaps')).length, 3)
  },
)

test('a program that is linked with musl', needs('musl-gcc'), () => {
  writeFileSync(join(base, 'hello.c'), '#include <stdio.h>\nint main(void) { puts("musl"); }\n')
  const program = join(base, 'hello-musl')
  execFileSync('musl-gcc', ['-o', program, join(base, 'hello.c')])
  const jail = build('musl', [program])
  assert.equal(runIn([jail, program]), 'musl\n')
})

test(
  'a program of another architecture, from its own root',
  needs('aarch64-linux-gnu-gcc', 'qemu-aarch64-static'),
  () => {
    const other = join(base, 'arm64')
    mkdirSync(join(other, 'lib'), { recursive: true })
    writeFileSync(join(other, 'hello.c'), '#include <stdio.h>\nint main(void) { puts("arm64"); }\n')
    execFileSync('aarch64-linux-gnu-gcc', ['-o', join(other, 'hello'), join(other, 'hello.c')])
    for (const name of ['ld-linux-aarch64.so.1', 'libc.so.6'])
      execFileSync('cp', ['-aL', join('/usr/aarch64-linux-gnu/lib', name), join(other, 'lib', name)])
    const jail = build('arm64-jail', ['--root', other, '/hello', '--include', '/hello.c:/note'])
    assert.deepEqual(
      readdirSync(jail).filter((name) => !['dev', 'proc', 'sys', 'tmp'].includes(name)),
      ['.tare-chroot', 'hello', 'lib', 'note'],
    )
    assert.equal(
      execFileSync('qemu-aarch64-static', ['-L', jail, join(jail, 'hello')], { encoding: 'utf8' }),
      'arm64\n',
    )
  },
)

test('an ordinary user builds and runs', needs('bash', 'setpriv'), () => {
  const as = { as: NOBODY, cwd: '/' }
  const jail = build('user', ['bash', 'id'], as)
  assert.equal(runIn([jail, 'id', '-u'], as), '65534\n')
  assert.equal(
    runIn(
      [
        '--user',
        '0:0',
        '--dev',
        '--proc',
        jail,
        'bash',
        '-c',
        'echo $UID; : < /dev/zero; echo $?; x=(/proc/[0-9]*); [ ${#x[@]} -gt 1 ] && echo many',
      ],
      as,
    ),
    '0\n0\nmany\n',
  )
})

test('root gets out of a chroot, and not out of a pivot', needs('perl'), () => {
  const jail = build('escape', ['perl'])
  // The oldest trick: a root below leaves the working directory outside of it, from where ".." leads up and out.
  const script = 'mkdir "/tmp/x"; chroot "/tmp/x"; chdir ".." for 1 .. 20; print -e "etc/passwd" ? "out" : "in";'
  writeFileSync(join(jail, 'script'), script)
  assert.equal(runIn([jail, 'perl', '/script']), 'out')
  assert.equal(runIn(['--pivot', jail, 'perl', '/script']), 'in')
})

test(
  "an ordinary user's programs are those that it may read, and its roots where it may write",
  needs('bash', 'setpriv'),
  () => {
    const closed = join(base, 'closed')
    execFileSync('cp', ['/usr/bin/env', closed])
    chmodSync(closed, 0o711)
    const as = { as: NOBODY, cwd: '/' }
    for (const [args, message] of [
      [
        ['-o', join(base, 'never'), closed],
        /^tare: cannot read .*\/closed: EACCES .*\nThis user may not read it: run as one who may\.\n$/,
      ],
      [['-o', '/usr/never', 'bash'], /^tare: cannot build \/usr\/never: EACCES .*\nThis user may not write there: /],
    ] as const) {
      const { status, stdout, stderr } = call(['build', ...args], as)
      assert.match(stderr, message)
      assert.deepEqual([status, stdout], [125, ''])
    }
  },
)

test('mounts: what is bound, also read-only, and who is in it', needs('bash'), () => {
  const jail = build('mounts', ['bash', 'ls', 'chroot', '--etc', '--account', 'nobody'], {
    env: { PATH: `${env.PATH}` },
  })
  mkdirSync(join(base, 'shared'))
  writeFileSync(join(base, 'shared/file'), 'data')
  mkdirSync(join(jail, 'data'))
  const volume = (mode: string): readonly string[] => [
    '-v',
    `${join(base, 'shared')}:/data${mode}`,
    jail,
    'bash',
    '-c',
    'echo new > /data/new; echo $? $(</data/file)',
  ]
  assert.equal(runIn(volume('')), '0 data\n')
  assert.match(call(['run', ...volume(':ro')]).stdout, /^1 data\n$/)
  assert.equal(runIn(['--user', 'nobody', '-w', '/tmp', jail, 'bash', '-c', 'echo $UID $PWD']), '65534 /tmp\n')
})

test(
  'the listing says what is there and why, for people and for programs; a dry run builds nothing',
  needs('bash'),
  () => {
    const { status, stdout } = call(['build', '--dry-run', '/usr/bin/env', '--include', '/etc/hostname'])
    assert.equal(status, 0)
    assert.match(stdout, /^ +SIZE +PATH +WHY\n/)
    assert.match(stdout, /^ *[\d.]+KiB +\/usr\/bin\/env +asked for$/m)
    assert.match(stdout, /^ *[\d.]+MiB +\/\S+libc\.so\.6 +libc\.so\.6 of \/usr\/bin\/env$/m)
    assert.match(stdout, /^ *[\d.]+B +\/etc\/hostname +included$/m)
    assert.match(stdout, /^ +\/proc\/ +to mount on$/m)
    assert.match(stdout, /\n\n\d+ files and \d+ links, [\d.]+MiB\n$/)
    const json = JSON.parse(call(['build', '--json', '--dry-run', '/usr/bin/env']).stdout)
    assert.deepEqual([json.path, json.programs, json.warnings], [null, ['/usr/bin/env'], []])
    const program = json.entries.find(({ path }: { path: string }) => path === '/usr/bin/env')
    assert.deepEqual(
      [program.kind, program.source, program.reasons],
      ['file', '/usr/bin/env', [{ kind: 'program', by: null, detail: null }]],
    )
  },
)

test('bad input: one error, status 125, and nothing done', root, () => {
  const at = join(base, 'bad')
  mkdirSync(at)
  writeFileSync(join(at, 'text'), 'text')
  writeFileSync(join(at, 'cut'), Buffer.from('\x7fELF\x02\x01\x01'))
  for (const name of ['text', 'cut']) chmodSync(join(at, name), 0o755)
  mkdirSync(join(at, 'full'))
  writeFileSync(join(at, 'full/file'), '')
  const out = ['-o', join(at, 'out')]
  const cases: readonly (readonly [args: readonly string[], message: RegExp])[] = [
    [['build', 'bash'], /^tare: cannot build: it is not said where\nGive -o DIR/],
    [['build', ...out], /^tare: cannot find what is needed: no program is given\n/],
    [
      ['build', ...out, 'no-such-program'],
      /^tare: cannot find the program no-such-program: there is none of that name\n.*Looked in /,
    ],
    [
      ['build', ...out, join(at, 'text')],
      /^tare: cannot use the program .*text: it is neither an ELF file nor a script/,
    ],
    [['build', ...out, join(at, 'cut')], /^tare: cannot read .*cut: it is cut short: its header is not all there\n$/],
    [['build', ...out, 'sh', '--copy', '--hardlink'], /^tare: cannot use --copy and --hardlink: /],
    [['build', ...out, 'sh', "--trace=sh -c 'x"], /^tare: cannot take .* apart: a ' is not closed\n/],
    [['build', ...out, 'sh', '--trace=no-such-program'], /^tare: cannot find no-such-program in /],
    [['build', ...out, 'sh', '--trace=true', '--trace-time', 'soon'], /^tare: cannot use "soon" as time: /],
    [['build', ...out, 'sh', '--trace=true', '--root', '/'], /^tare: cannot use --trace with --root: /],
    [
      ['build', ...out, 'sh', '--include', '/no/such'],
      /^tare: cannot include \/no\/such: ENOENT \(no such file or directory\)\n/,
    ],
    [['build', ...out, 'sh', '--account', 'no-such-user'], /^tare: cannot add the account no-such-user: /],
    [['build', ...out, 'sh', '--root', '/no/such'], /^tare: cannot use the root \/no\/such: ENOENT /],
    [['build', '-o', join(at, 'full'), 'sh'], /^tare: cannot build .*full: it is not empty\n/],
    [['run', join(at, 'none'), 'sh'], /^tare: cannot use the root .*none: ENOENT .*\nBuild it with/],
    [['run', join(at, 'text'), 'sh'], /^tare: cannot use the root .*text: it is no directory\n/],
    [['run', join(at, 'full')], /^tare: cannot use tare chroot run: COMMAND is missing\n/],
    [['run', '-v', 'x', join(at, 'full'), 'sh'], /^tare: cannot use --volume=x: /],
    [['run', '-u', 'no-such-user', join(at, 'full'), 'sh'], /^tare: cannot use user no-such-user: /],
  ]
  for (const [args, message] of cases) {
    const { status, stdout, stderr } = call(args)
    assert.match(stderr, message)
    assert.deepEqual([status, stdout], [125, ''], args.join(' '))
  }
  assert.deepEqual(readdirSync(at).toSorted(), ['cut', 'full', 'text'])
  const jail = build('statuses', ['sh'])
  assert.equal(call(['run', jail, 'no-such-program']).status, 127)
  assert.equal(call(['run', jail, '/tmp']).status, 126)
  assert.equal(call(['run', jail, 'sh', '-c', 'exit 7']).status, 7)
})

test('interrupted while it traces, it leaves nothing', root, async () => {
  const at = join(base, 'interrupted')
  mkdirSync(at)
  const words = [
    ...NODE_ARGS,
    'chroot',
    'build',
    '-o',
    join(at, 'out'),
    'sh',
    "--trace=sh -c 'echo ready; exec sleep 600'",
  ]
  const child = spawn(PROGRAM, words, { stdio: ['ignore', 'ignore', 'pipe'], env, detached: true })
  await once(child.stderr, 'data')
  await sleep(50)
  child.kill('SIGINT')
  assert.equal(await ended(child), 130)
  assert.deepEqual(readdirSync(at), [])
})
