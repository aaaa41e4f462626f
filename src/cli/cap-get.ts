import type { StoredFileCapabilities, TareError } from '../linux/index.ts'
import { capabilityLabels, findFileCapabilities, formatFileCapabilities, getFileCapabilities } from '../linux/index.ts'
import { FILE_OPTIONS } from './cap-file.ts'
import type { Command } from './command.ts'
import { command } from './command.ts'
import { jsonText } from './json.ts'
import { formatTable } from './table.ts'

/** A file that was asked for or found; without capabilities only in the former case. */
interface Line {
  readonly path: string
  readonly capabilities: StoredFileCapabilities | undefined
}

interface Failure {
  readonly path: string
  readonly error: TareError
}

const isFailure = (found: Line | Failure): found is Failure => 'error' in found

const row = ({ path, capabilities }: Line): readonly string[] => {
  if (capabilities === undefined) return [path, 'none']
  const { rootId } = capabilities
  return [path, formatFileCapabilities(capabilities), ...(rootId === undefined ? [] : [`root id ${rootId}`])]
}

const json = ({ path, capabilities }: Line): object => ({
  path,
  capabilities:
    capabilities === undefined
      ? null
      : {
          text: formatFileCapabilities(capabilities),
          permitted: capabilityLabels(capabilities.permitted),
          inheritable: capabilityLabels(capabilities.inheritable),
          effective: capabilities.effective,
          rootId: capabilities.rootId ?? null,
          revision: capabilities.revision,
        },
})

export const capGet: Command = command({
  description:
    'Shows the capabilities of files in the text form of cap_to_text(3), as getcap(8) does: what a program gains when it is ' +
    'executed. A root id says that they count only in user namespaces whose root is that user.',
  options: [
    ...FILE_OPTIONS,
    {
      long: 'json',
      description:
        'Prints JSON: a list of { path, capabilities: { text, permitted, inheritable, effective, rootId, revision } or null }.',
    },
  ],
  operands: [{ name: 'FILE', repeatable: true }],
  examples: [
    { description: 'one program', command: 'tare cap get /usr/bin/ping' },
    { description: 'every program of the system that has some', command: 'tare cap get -r /usr' },
  ],
  exitStatus: [['1', 'Some files or directories below could not be looked at; the rest was shown.']],
  run: async ({ options, operands, terminal }) => {
    const search = { otherFileSystems: options['other-file-systems'] === true }
    const found = operands.flatMap((path): readonly (Line | Failure)[] =>
      options.recursive === true
        ? [...findFileCapabilities(path, search)]
        : [{ path, capabilities: getFileCapabilities(path) }],
    )
    const failures = found.filter(isFailure)
    const lines = found.flatMap((each) => (isFailure(each) ? [] : [each]))
    for (const { error } of failures) terminal.warn(`tare: ${error.message}`)
    if (options.json === true) terminal.print(jsonText(lines.map(json)))
    else terminal.print(formatTable(lines.map(row)))
    return failures.length === 0 ? 0 : 1
  },
})
