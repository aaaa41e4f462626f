/** What is known of who made a container; a guess from outside of it, that nothing inside is asked for. */
export interface ContainerOrigin {
  /** The engine or program: `docker`, `podman`, `bwrap`; undefined where nothing tells. */
  readonly madeBy: string | undefined
  /** What its maker calls it. */
  readonly name: string | undefined
  /** Its maker's id of it. */
  readonly id: string | undefined
}

/** A process as far as a maker is known by it. */
export interface MakerProcess {
  readonly name: string
  readonly commandLine: readonly string[]
}

/**
 * How engines call the control groups of their containers. The group in the expression is the engine's id of it, or
 * (`true`) the name that people know it by. Where two fit at the same place, the first counts.
 */
const CGROUPS: readonly (readonly [pattern: RegExp, madeBy: string, isName: boolean])[] = [
  [/\/docker[-/]([0-9a-f]{64})(?:\.scope)?(?=\/|$)/g, 'docker', false],
  [/\/libpod-([0-9a-f]{64})(?:\.scope)?(?=\/|$)/g, 'podman', false],
  [/\/crio-([0-9a-f]{64})(?:\.scope)?(?=\/|$)/g, 'cri-o', false],
  [/\/cri-containerd-([0-9a-f]{64})\.scope(?=\/|$)/g, 'containerd', false],
  [/\/kubepods(?:\/[^/]*)*\/([0-9a-f]{64})(?=\/|$)/g, 'kubernetes', false],
  [/\/tare\/([0-9a-f]{12})\.\d+(?=\/|$)/g, 'tare', false],
  [/\/systemd-nspawn@([^/]+)\.service(?=\/|$)/g, 'systemd-nspawn', true],
  [/\/machine-qemu[^/]*\.scope(?=\/|$)/g, 'libvirt', true],
  [/\/machine-([^/]+)\.scope(?=\/|$)/g, 'systemd-nspawn', true],
  [/\/lxc\.payload\.([^/]+)(?=\/|$)/g, 'lxc', true],
  [/\/lxc\/([^/]+)(?=\/|$)/g, 'lxc', true],
  [/\/app-flatpak-([^/]+)-\d+\.scope(?=\/|$)/g, 'flatpak', true],
  [/\/snap\.([^/.]+)\.[^/]*(?=\/|$)/g, 'snap', true],
  [/\/runc-([^/]+)\.scope(?=\/|$)/g, 'runc', true],
  [/\/crun-([^/]+)\.scope(?=\/|$)/g, 'crun', true],
]

/** systemd writes what it doesn't like in a name of a unit as `\x2d`. */
const unescapeUnit = (name: string): string =>
  name.replace(/\\x([0-9a-f]{2})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)))

const originOfPath = (path: string): ContainerOrigin | undefined => {
  let at = -1
  let found: ContainerOrigin | undefined
  for (const [pattern, madeBy, isName] of CGROUPS) {
    // The last place: what stands further up is what the container is in.
    const match = [...path.matchAll(pattern)].at(-1)
    if (match === undefined || match.index <= at) continue
    at = match.index
    const word = match[1]
    found = isName
      ? { madeBy, id: undefined, name: word === undefined ? undefined : unescapeUnit(word) }
      : { madeBy, id: word, name: undefined }
  }
  return found
}

/** What control groups tell by their paths; most paths are those of many containers. */
export class CgroupOrigins {
  readonly #known: Map<string, ContainerOrigin | undefined> = new Map()

  /** Undefined if none of a container's groups has a name that an engine gives. */
  of(paths: readonly string[]): ContainerOrigin | undefined {
    for (const path of paths) {
      if (!this.#known.has(path)) this.#known.set(path, originOfPath(path))
      const found = this.#known.get(path)
      if (found !== undefined) return found
    }
    return undefined
  }
}

/** The value of an option: `-n NAME`, `--name NAME`, `--name=NAME`. */
const optionOf = (args: readonly string[], ...names: readonly string[]): string | undefined => {
  for (const [index, word] of args.entries()) {
    if (names.includes(word)) return args[index + 1]
    const name = names.find((each) => each.startsWith('--') && word.startsWith(`${each}=`))
    if (name !== undefined) return word.slice(name.length + 1)
  }
  return undefined
}

const baseName = (path: string): string => path.replace(/\/+$/, '').split('/').at(-1) ?? path

const only = (madeBy: string): ContainerOrigin => ({ madeBy, name: undefined, id: undefined })

/** `runc run ID`, `crun run -b BUNDLE ID`: the last word. */
const runtime = (madeBy: string, args: readonly string[]): ContainerOrigin => ({
  ...only(madeBy),
  name: args.includes('run') || args.includes('create') ? args.at(-1) : undefined,
})

const SHIM_NAMESPACES: Readonly<Record<string, string>> = { moby: 'docker', 'k8s.io': 'kubernetes' }

const shim = (args: readonly string[]): ContainerOrigin => {
  const namespace = optionOf(args, '-namespace', '--namespace') ?? ''
  return { ...only(SHIM_NAMESPACES[namespace] ?? 'containerd'), id: optionOf(args, '-id', '--id') }
}

const conmon = (args: readonly string[]): ContainerOrigin => {
  const madeBy = args.some((word) => baseName(word) === 'podman')
    ? 'podman'
    : args.some((word) => word.includes('crio'))
      ? 'cri-o'
      : 'conmon'
  return { madeBy, name: optionOf(args, '-n', '--name'), id: optionOf(args, '-c', '--cid') }
}

const nspawn = (args: readonly string[]): ContainerOrigin => {
  const directory = optionOf(args, '-D', '--directory')
  const machine = optionOf(args, '-M', '--machine')
  return { ...only('systemd-nspawn'), name: machine ?? (directory === undefined ? undefined : baseName(directory)) }
}

/** Programs that contain without being engines, and often are the first process of what they contain. */
const TOOLS: readonly string[] = ['bwrap', 'unshare', 'nsenter', 'firejail', 'nsjail', 'minijail0', 'podman', 'buildah']

/** By the name of the process that started a container. */
const STARTERS: ReadonlyMap<string, (args: readonly string[]) => ContainerOrigin> = new Map([
  ['conmon', conmon],
  ['runc', (args: readonly string[]) => runtime('runc', args)],
  ['crun', (args: readonly string[]) => runtime('crun', args)],
  ['systemd-nspawn', nspawn],
  ['lxc-start', (args: readonly string[]) => ({ ...only('lxc'), name: optionOf(args, '-n', '--name') })],
])

/** Whether a process of Node's runs bin/tare. */
const isTare = ({ commandLine }: MakerProcess): boolean =>
  commandLine.slice(0, 4).some((word) => baseName(word) === 'tare')

const originOfStarter = (starter: MakerProcess): ContainerOrigin | undefined => {
  const { name, commandLine } = starter
  // The kernel cuts names to 15 bytes: containerd-shim-runc-v2.
  if (name.startsWith('containerd-shim')) return shim(commandLine)
  if (TOOLS.includes(name)) return only(name)
  return isTare(starter) ? only('tare') : STARTERS.get(name)?.(commandLine)
}

/**
 * What the process tells that started a container, and the container's first one, which may be the tool itself. Of a
 * starter that is no known engine all that is told is its name.
 */
export const originOfProcesses = (
  starter: MakerProcess | undefined,
  first: MakerProcess,
): ContainerOrigin | undefined => {
  const known = starter === undefined ? undefined : originOfStarter(starter)
  if (known !== undefined) return known
  if (TOOLS.includes(first.name)) return only(first.name)
  return starter === undefined ? undefined : only(starter.name)
}
