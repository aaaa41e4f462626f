import { MOUNT_ATTR_RDONLY } from '../../linux/mount-flags.ts'
import type { Register } from '../../plan/step.ts'
import { named } from '../../plan/step.ts'
import type { Mount } from '../spec.ts'
import type { PlanContext } from './context.ts'
import { planFileMount } from './file-mount.ts'
import { hostTree, makeFilesystem, setAttributes } from './mounts.ts'
import { makeOverlay } from './overlay.ts'
import type { PlannedRoot } from './root.ts'
import { attachInRoot } from './targets.ts'

/** Mounts whose sources have to be taken before the root is attached, since it covers the host's. */
export type Layered = ReadonlyMap<Mount, Register>

/** Takes the trees and overlays that come from the host, while "/" still is the host's. */
export const planLayers = (context: PlanContext): Layered => {
  const taken = new Map<Mount, Register>()
  for (const mount of context.spec.mounts) {
    context.stage.mechanism('chroot')
    if (mount.kind === 'overlay') taken.set(mount, makeOverlay(context, mount.layers, mount.attributes))
    if (mount.kind === 'bind')
      taken.set(
        mount,
        hostTree(context, mount.source, mount.idmap, mount.recursive || !context.host.privileged, mount.propagation),
      )
  }
  return taken
}

/** Mounts what the container is given, in order. `dev`: its /dev, in which files are made. */
export const planMounts = (context: PlanContext, root: PlannedRoot, layers: Layered, dev: Register): void => {
  context.stage.mechanism('chroot')
  for (const mount of context.spec.mounts) {
    switch (mount.kind) {
      case 'bind': {
        const tree = layers.get(mount)
        if (tree === undefined) continue
        if (mount.attributes !== 0 || mount.propagation !== undefined)
          setAttributes(
            context,
            tree,
            { set: mount.attributes, propagation: mount.propagation, recursive: mount.recursive },
            `restrict ${mount.source}`,
            mount.attributes & MOUNT_ATTR_RDONLY ? 'nothing of it may change' : '',
          )
        attachInRoot(context, root, tree, mount.target, mount.make, `mount ${mount.source} at ${mount.target}`)
        context.stage.release(tree)
        break
      }
      case 'overlay': {
        const overlay = layers.get(mount)
        if (overlay === undefined) continue
        attachInRoot(context, root, overlay, mount.target, 'directory', `mount the overlay at ${mount.target}`)
        context.stage.release(overlay)
        break
      }
      case 'filesystem': {
        const made = makeFilesystem(context, mount.type, `make a ${mount.type}`, '', mount.attributes, mount.options)
        attachInRoot(context, root, made, mount.target, 'directory', `mount it at ${mount.target}`)
        context.stage.release(made)
        break
      }
      case 'file':
        planFileMount(context, dev, mount, (file) =>
          attachInRoot(context, root, file, mount.target, 'file', `mount it at ${mount.target}`),
        )
    }
  }
}

/** Write-protects the root mount itself; what is mounted in it stays as it is. */
export const planReadOnlyRoot = (context: PlanContext, root: PlannedRoot): void => {
  if (!context.spec.readOnlyRoot) return
  context.stage.mechanism('chroot')
  setAttributes(context, root.register, { set: MOUNT_ATTR_RDONLY, recursive: false }, 'make the root read-only')
}

/** Kernel parameters of the container's own namespaces, by sysctl(8)'s names. */
export const planSysctls = (context: PlanContext, proc: Register): void => {
  const { stage, data, spec } = context
  stage.mechanism('namespaces')
  for (const [name, value] of spec.sysctls) {
    const path = `sys/${name.replaceAll('.', '/')}`
    const words = {
      what: `set the sysctl ${name} to ${value}`,
      hints: {
        ENOENT: 'This kernel has no such parameter, or not for each namespace.',
        EACCES: "It belongs to the whole host, not to the container's namespaces.",
        EPERM: "It belongs to the whole host, not to the container's namespaces.",
        EINVAL: 'The kernel does not take this value.',
      },
    }
    const file = stage.callFor('file', words, 'openat', [
      proc,
      context.string(path),
      named(0o2000001, 'O_WRONLY|O_CLOEXEC'),
    ])
    const bytes = new TextEncoder().encode(value)
    stage.call(words, 'write', [file, data.add(bytes, JSON.stringify(value)), bytes.length])
    stage.release(file)
  }
}
