// The guided tour, docs/how-containers-contain.md: its commands are typed into a shell, block by block, and must print what
// stands there.
import assert from 'node:assert/strict'
import type { ChildProcess } from 'node:child_process'
import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { test } from 'node:test'
import { isRoot, NODE_ARGS, PROGRAM, ROOT, STANDALONE, TARE } from './tare.ts'

const TOUR = join(ROOT, 'docs/how-containers-contain.md')

/**
 * What a block may declare to vary from host to host and time to time, and what it is written as to compare. In this
 * order: a size is a number, too.
 */
const VARYING: readonly (readonly [name: string, pattern: RegExp, written: string])[] = [
  ['size', /\b\d+(\.\d+)?(B|[KMG]iB)\b/g, 'SIZE'],
  ['number', /\d+(\.\d+)?/g, 'N'],
]

interface Command {
  readonly line: number
  /** With what continues it (`> `). */
  readonly text: string
  readonly output: string
}

interface Block {
  readonly line: number
  /** Privileges and programs that it needs. */
  readonly needs: readonly string[]
  readonly varies: readonly string[]
  readonly commands: readonly Command[]
}

const words = (attributes: string, name: string): readonly string[] =>
  new RegExp(`\\b${name}=(\\S+)`).exec(attributes)?.[1]?.split(',') ?? []

const commandsOf = (body: string, first: number): readonly Command[] => {
  const commands: Command[] = []
  let output: string[] = []
  for (const [index, line] of body.split('\n').entries()) {
    const last = commands.at(-1)
    if (line.startsWith('$ ')) {
      output = []
      commands.push({ line: first + index, text: line.slice(2), output: '' })
    } else if (last !== undefined && line.startsWith('> ') && output.length === 0) {
      commands[commands.length - 1] = { ...last, text: `${last.text}\n${line.slice(2)}` }
    } else if (last !== undefined) {
      output.push(line)
      commands[commands.length - 1] = { ...last, output: output.map((each) => `${each}\n`).join('') }
    }
  }
  return commands
}

/** Names that every run needs for itself, since others may run on the same host: a group, and how long programs sleep. */
const ownNames = (markdown: string): string =>
  markdown.replaceAll('/tare-tour', `/tare-tour-${process.pid}`).replace(/\b424(?=\d\b)/g, `${process.pid}424`)

/** The blocks that are fenced as `console`. */
const blocksOf = (markdown: string): readonly Block[] =>
  [...markdown.matchAll(/^```console(.*)\n([^]*?)\n```$/gm)].map(([, attributes = '', body = ''], index, all) => {
    const line = markdown.slice(0, all[index]?.index).split('\n').length
    return {
      line,
      needs: words(attributes, 'needs'),
      varies: words(attributes, 'varies'),
      commands: commandsOf(body, line + 1),
    }
  })

/** What a shell prints, as it is compared: what varies by name, and columns without their widths. */
const normalise = (text: string, varies: readonly string[]): string => {
  const normal = VARYING.filter(([name]) => varies.includes(name)).reduce(
    (rest, [, pattern, written]) => rest.replace(pattern, written),
    text,
  )
  return normal
    .split('\n')
    .map((line) => line.replace(/ {2,}/g, ' ').trim())
    .join('\n')
}

/** A line of `…` alone stands for any lines, one within a line for anything in it. */
const patternOf = (expected: string): RegExp => {
  const escaped = expected.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)
  return new RegExp(`^${escaped.replace(/^…\n/gm, '(?:.*\\n)*').replaceAll('…', '.*')}$`)
}

const hasProgram = (name: string): boolean => spawnSync('sh', ['-c', `command -v ${name}`]).status === 0

const lacking = (needs: readonly string[]): string | undefined =>
  needs.find((need) => (need === 'root' ? !isRoot : !hasProgram(need)))

/** A remark of hosts whose PID 1 nobody may look at; it is about them. */
const REMARK = /^tare: PID 1 can not be looked at.*\n/gm

const SYSTEM_PATH = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin']

/** No command takes longer, in ms: one that waits for what doesn't come would wait for ever. */
const LONGEST = 30_000

/** A shell that keeps its directory, variables and jobs from one command to the next. */
class Shell {
  readonly #shell: ChildProcess
  #text = ''
  #heard: () => void = () => undefined

  constructor(directory: string) {
    this.#shell = spawn('bash', ['--norc'], {
      cwd: directory,
      env: {
        PATH: [dirname(STANDALONE ?? TARE), ...SYSTEM_PATH, dirname(process.execPath)].join(delimiter),
        HOME: directory,
      },
      stdio: ['pipe', 'pipe', 'ignore'],
      detached: true,
    })
    this.#shell.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#text += text
      this.#heard()
    })
    this.#shell.on('close', () => this.#heard())
    this.#shell.stdin?.on('error', () => undefined)
    this.#shell.stdin?.write('exec 2>&1\n')
  }

  /** Types a command; resolves with what is printed until it is done. One that takes too long ends the shell. */
  async type(command: string): Promise<string> {
    const mark = `done ${Math.random()}`
    this.#text = ''
    this.#shell.stdin?.write(`${command}\nprintf '%s\\n' '${mark}'\n`)
    const timer = setTimeout(() => this.kill(), LONGEST)
    while (!this.#text.includes(mark) && this.#shell.exitCode === null && this.#shell.signalCode === null) {
      await new Promise<void>((resolve) => {
        this.#heard = resolve
      })
    }
    clearTimeout(timer)
    const end = this.#text.indexOf(mark)
    if (end < 0) throw new Error(`${command}\ndid not end; it printed\n${this.#text}`)
    return this.#text.slice(0, end).replace(REMARK, '')
  }

  /** Ends the shell and all jobs that it has. */
  kill(): void {
    if (this.#shell.pid !== undefined && this.#shell.exitCode === null && this.#shell.signalCode === null)
      process.kill(-this.#shell.pid, 'SIGKILL')
  }
}

/** Takes away what a tour leaves that was not taken to its end. */
const tidy = (directory: string): void => {
  const group = `/tare-tour-${process.pid}`
  spawnSync('umount', ['net'], { cwd: directory })
  spawnSync(PROGRAM, [...NODE_ARGS, 'cgroup', 'rm', '--kill', group])
  rmSync(directory, { recursive: true, force: true })
}

test('the tour shows what there is to be seen', { timeout: 120_000 }, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'tare-tour-'))
  chmodSync(directory, 0o755)
  const shell = new Shell(directory)
  t.after(() => {
    shell.kill()
    tidy(directory)
  })
  const blocks = blocksOf(ownNames(readFileSync(TOUR, 'utf8')))
  assert.ok(blocks.length > 10 && blocks.every(({ commands }) => commands.length > 0))
  const known = VARYING.map(([name]) => name)
  for (const { line, varies } of blocks)
    assert.ok(
      varies.every((name) => known.includes(name)),
      `line ${line}`,
    )
  for (const { line, needs, varies, commands } of blocks) {
    const lack = lacking(needs)
    const name = `line ${line}: ${commands[0]?.text.split('\n')[0]}`
    await t.test(name, { skip: lack === undefined ? false : `needs ${lack}` }, async () => {
      for (const { text, output, line: at } of commands) {
        const printed = await shell.type(text)
        const [found, expected] = [normalise(printed, varies), normalise(output, varies)]
        if (patternOf(expected).test(found)) continue
        assert.equal(found, expected, `line ${at}: ${text}\nprinted\n${printed}`)
      }
    })
  }
})
