// What a program finds out about where it is, for comparing two ways to get there.
import { readlinkSync } from 'node:fs'

/** Prints facts, a line for each. It needs a shell and coreutils where it runs, and /proc for most. */
export const FACTS: string = `
for kind in cgroup ipc mnt net pid pid_for_children time time_for_children user uts; do
  readlink /proc/self/ns/$kind 2>/dev/null
done
echo "user $(id -u) group $(id -g) groups $(id -G)"
echo "maps $(tr -s ' \\n' ' ' </proc/self/uid_map) |$(tr -s ' \\n' ' ' </proc/self/gid_map) | $(cat /proc/self/setgroups)"
sed -n 's/^\\(Cap[A-Z][a-z]*\\|NoNewPrivs\\|SigBlk\\|Umask\\|Seccomp\\):/\\1/p' /proc/self/status
echo "first $(test $$ = 1 && echo yes) umask $(umask)"
echo "processes $(test $(echo /proc/[0-9]* | wc -w) -lt 9 && echo few || echo many)"
awk '$5 == "/" { print "root", $6, ($7 ~ /:/ ? substr($7, 1, index($7, ":") - 1) : "private"); exit }' /proc/self/mountinfo
echo "clocks $(tr -s ' \\n' ' ' </proc/self/timens_offsets)"
echo "files $(ls / | tr '\\n' ' ')"
`

/** Facts as two runs have them in common: a namespace is `same` as ours, or `other`. */
export const normalize = (said: string): readonly string[] =>
  said
    .trim()
    .split('\n')
    .map((line) => {
      const kind = /^([a-z]+):\[\d+\]$/.exec(line)?.[1]
      if (kind === undefined) return line.replaceAll(/\s+/g, ' ')
      return `${kind} ${line === readlinkSync(`/proc/self/ns/${kind}`) ? 'same' : 'other'}`
    })
