import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { InputError, TareError } from '../../linux/error.ts'
import type { Engine } from './debian.ts'
import { findProgram } from './find-program.ts'
import type { BootstrapVariant } from './options.ts'

export interface FedoraNeeds {
  readonly release: string
  readonly mirror: string | undefined
  readonly keyring: string | undefined
  readonly variant: BootstrapVariant
  readonly include: readonly string[]
  readonly architecture: string
  readonly root: boolean
}

const MINIMUM = [
  'fedora-release',
  'bash',
  'coreutils',
  'dnf',
  'glibc-minimal-langpack',
  'rpm',
  'shadow-utils',
  'util-linux',
]

const resolveKey = ({ release, keyring, architecture }: FedoraNeeds): string => {
  const paths =
    keyring === undefined
      ? [
          `/etc/pki/rpm-gpg/RPM-GPG-KEY-fedora-${release}-${architecture}`,
          `/usr/share/distribution-gpg-keys/fedora/RPM-GPG-KEY-fedora-${release}-primary`,
        ]
      : [resolve(keyring)]
  const found = paths.find((path) => existsSync(path))
  if (found !== undefined) return found
  throw new InputError({
    operation: `verify packages of fedora ${release}`,
    reason: `its key is not on this host (${paths.join(', ')})`,
    hint: 'Install the package distribution-gpg-keys, or name a file with it as the keyring.',
  })
}

/** dnf's installroot. Throws {@link TareError} where there is no dnf, or this is an ordinary user. */
export const fedoraEngine = (needs: FedoraNeeds): Engine => {
  const { release, mirror, variant, include, architecture, root } = needs
  const dnf = findProgram(['dnf5', 'dnf'])
  if (dnf === undefined)
    throw new TareError({
      operation: 'bootstrap',
      target: `fedora:${release}`,
      code: 'ERR_TARE_ENGINE',
      reason: 'dnf is not installed',
      hint: 'Install it: "apt install dnf" on Debian and Ubuntu; Fedora and its kin have it.',
    })
  if (!root)
    throw new TareError({
      operation: 'bootstrap',
      target: `fedora:${release}`,
      code: 'ERR_TARE_ENGINE',
      reason: 'dnf takes root for that',
      hint: 'Do it as root.',
    })
  const key = resolveKey(needs)
  const base =
    mirror ?? `https://dl.fedoraproject.org/pub/fedora/linux/releases/${release}/Everything/${architecture}/os/`
  const updates = `https://dl.fedoraproject.org/pub/fedora/linux/updates/${release}/Everything/${architecture}/`
  const repositories = [
    ['tare', base],
    ...(mirror === undefined && release !== 'rawhide' ? [['tare-updates', updates] as const] : []),
  ] as const
  return {
    name: dnf.name,
    sources: [],
    command: (tree) => [
      dnf.path,
      '-y',
      `--installroot=${tree}`,
      `--releasever=${release}`,
      '--setopt=reposdir=/dev/null',
      ...repositories.flatMap(([id, url]) => [
        `--repofrompath=${id},${url}`,
        `--setopt=${id}.gpgcheck=1`,
        `--setopt=${id}.gpgkey=file://${key}`,
      ]),
      '--setopt=install_weak_deps=False',
      '--setopt=tsflags=nodocs',
      'install',
      ...MINIMUM,
      ...(variant === 'standard' ? ['@core'] : []),
      ...include,
    ],
  }
}
