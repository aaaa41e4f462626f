import type { BootstrappedSystem, BootstrapProgress } from '../index.ts'
import { formatBytes } from '../index.ts'
import { tookText } from './made.ts'

const WORDS: Readonly<Record<BootstrapProgress['phase'], string>> = {
  looking: 'looking at the mirror',
  indexes: 'reading the lists of packages',
  downloading: 'downloading',
  installing: 'installing',
  finishing: 'finishing',
  copying: 'copying the one that was made before',
}

const leftText = (left: number): string =>
  `${left < 60_000 ? `${Math.ceil(left / 1000)}s` : `${Math.ceil(left / 60_000)}min`} left`

/** `downloading 12.3MiB of 29.7MiB, 8.1MiB/s, 3s left`. */
export const progressText = ({ phase, done, total, rate, left }: BootstrapProgress): string => {
  if (done === undefined || total === undefined) return WORDS[phase]
  const bytes = phase === 'downloading'
  const [some, all] = [done, total].map((number) => (bytes ? formatBytes(Math.round(number)) : String(number)))
  const parts = [`${WORDS[phase]} ${some} of ${bytes ? all : `${all} packages`}`]
  if (rate !== undefined) parts.push(bytes ? `${formatBytes(Math.round(rate))}/s` : `${rate.toFixed(1)}/s`)
  if (left !== undefined) parts.push(leftText(left))
  return parts.join(', ')
}

/** `made /srv/box: debian:bookworm (amd64, minbase, with nginx) by mmdebstrap in 14.2s`. */
export const madeText = (
  { path, system, architecture, variant, include, engine, cached }: BootstrappedSystem,
  took: number,
): string => {
  const what = [architecture, variant, ...(include.length === 0 ? [] : [`with ${include.join(', ')}`])].join(', ')
  const how = cached ? `as a copy of one that ${engine} made` : `by ${engine}`
  return `made ${path}: ${system} (${what}) ${how} in ${tookText(took)}`
}
