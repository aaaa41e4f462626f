import { CGROUP_SETTINGS } from '../index.ts'
import type { WordList } from './command.ts'

/** How a GROUP is written; for the help of all commands that take one. */
export const GROUP_NAMES =
  'GROUP is a path from the root of the hierarchies, /shop/web, or its directory. Without the slash in front it is below the root, too, for whoever may make groups there; for other users below the nearest group that is delegated to them.'

/** How settings are written; {@link SETTINGS} lists them. */
export const SETTINGS_TEXT: string =
  'A setting is KEY=VALUE. Sizes are as 64MiB or 1.5g, times as 20ms, speeds are for one disk, named by any path on it: /var:1MiB. "max" takes a limit away. ' +
  "The kernel's own names of files will do as well, with units too: memory.max=64MiB, cpu.max='50000 100000', blkio.throttle.read_bps_device='/dev/sda 1MiB'. " +
  'What this host has no controller for, or what its version of cgroups has no such limit for, is refused.'

/** All short names, each with a value for example. */
export const SETTINGS: WordList = {
  title: 'settings',
  words: CGROUP_SETTINGS.map(({ key, example, description }) => [
    `${key}=${example}`,
    `${description.charAt(0).toUpperCase()}${description.slice(1)}.`,
  ]),
}
