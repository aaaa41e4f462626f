import type { CgroupValue } from '../index.ts'
import { getCgroup } from '../index.ts'
import { findCgroup, packetMatch, readCgroupLayout } from '../linux/index.ts'
import { GROUP_NAMES } from './cgroup-text.ts'
import type { Command } from './command.ts'
import { command } from './command.ts'
import { jsonText } from './json.ts'
import type { Cell } from './table.ts'
import { formatTable } from './table.ts'
import type { Terminal } from './terminal.ts'
import { printable } from './text.ts'

/** What the kernel has, behind the words where those say it otherwise. */
const valueText = ({ text, words }: CgroupValue): string => {
  if (text === undefined || text === words || text === '' || text.includes('\n')) return words
  return `${words} (${text})`
}

const row = (value: CgroupValue, { style }: Terminal): readonly Cell[] => [
  `  ${value.file}`,
  { text: value.key ?? '', style: style.bold },
  valueText(value),
]

/** Version 1 has the same files in each hierarchy: those that say the same are one. */
const once = (values: readonly CgroupValue[]): readonly CgroupValue[] => [
  ...new Map(values.map((value) => [`${value.file}\n${value.text ?? ''}`, value])).values(),
]

/** All that can be read, controller by controller. */
const allText = (values: readonly CgroupValue[], terminal: Terminal): string => {
  const shown = once(values.filter(({ text }) => text !== undefined))
  const controllers = [...new Set(shown.map(({ controller }) => controller))]
  const rows = controllers.flatMap((name): readonly (readonly Cell[])[] => [
    [{ text: name === 'cgroup' ? 'every group' : name, style: terminal.style.bold }],
    ...shown.filter(({ controller }) => controller === name).map((value) => row(value, terminal)),
  ])
  return formatTable(rows, [{ title: 'FILE' }, { title: 'KEY' }, { title: 'VALUE' }], terminal.lineWidth)
}

/** What was asked for by name: whole, if it takes several lines. */
const someText = (values: readonly CgroupValue[], { lineWidth, style }: Terminal): string =>
  values
    .map((value) => {
      const { key, file, text = '', description } = value
      const lines = text.split('\n')
      const many = lines.length > 1
      const name = key === undefined ? style.bold(file) : `${style.bold(key)} (${file})`
      const about = description === undefined ? '' : `${style.dim(description)}\n`
      const body = many
        ? formatTable(
            lines.map((line) => [`  ${line}`]),
            [],
            lineWidth,
          )
        : ''
      return `${name}: ${many ? '' : printable(valueText(value) || 'empty')}`.trimEnd() + `\n${about}${body}`
    })
    .join('\n')

const toJson = (values: readonly CgroupValue[]): string => {
  const list = values.map(({ file, key, controller, path, writable, text, words, description }) => ({
    file,
    key: key ?? null,
    controller,
    path,
    writable,
    text: text ?? null,
    words,
    description: description ?? null,
  }))
  return jsonText(list)
}

export const cgroupGet: Command = command({
  description:
    "Shows what the files of a control group say, in words with units and as the kernel has it (raw). KEY is a short name (memory, cpus, pids, write-bps …) or the kernel's own name of a file (memory.stat). Without one, all files are shown, each in a line.\n\n" +
    GROUP_NAMES,
  options: [
    {
      long: 'nft',
      description:
        'Prints the expression by which a rule of nft(8) matches what the processes of the group send: by its net-class, or by itself on cgroup version 2.',
    },
    { long: 'raw', short: 'r', description: 'Prints what the kernel has and nothing else, file after file.' },
    {
      long: 'json',
      description: 'Prints JSON: a list of { file, key, controller, path, writable, text, words, description }.',
    },
  ],
  operands: [{ name: 'GROUP' }, { name: 'KEY', optional: true, repeatable: true }],
  examples: [
    { description: 'all there is to know of a group', command: 'tare cgroup get /web' },
    { description: 'two limits', command: 'tare cgroup get /web memory cpus' },
    { description: 'what memory is used for', command: 'tare cgroup get /web memory.stat' },
    {
      description: 'no network for the group but loopback',
      command: `nft "add rule inet filter output $(tare cgroup get --nft /web) oifname != lo drop"`,
    },
    { description: 'a number for a script', command: 'tare cgroup get --raw /web pids.current' },
  ],
  run: async ({ options, operands, terminal }) => {
    const [name = '', ...keys] = operands
    if (options.nft === true) {
      terminal.print(`${packetMatch(findCgroup(readCgroupLayout(), name))}\n`)
      return 0
    }
    const values = getCgroup(name, keys)
    if (options.json === true) terminal.print(toJson(values))
    else if (options.raw === true) terminal.print(values.map(({ text = '' }) => `${text}\n`).join(''))
    else terminal.print(keys.length === 0 ? allText(values, terminal) : someText(values, terminal))
    return 0
  },
})
