import type { Spec } from '../../oci/spec.ts'
import { idMapOf } from '../../oci/id-mapping.ts'
import { InputError } from '../../linux/error.ts'
import type { Named, Register } from '../../plan/step.ts'
import { named } from '../../plan/step.ts'
import type { PlanHost } from '../plan/context.ts'
import { FIRST_FREE_FD, PlanContext, STATUS_FD } from '../plan/context.ts'
import type { ContainerSpec, ProcessSpec, UserNamespace } from '../spec.ts'
import type { ContainerNamespaces } from './asked-namespaces.ts'
import { namespacesOf } from './asked-namespaces.ts'
import type { BundleRequest } from './request.ts'

/** The stage's end of the fifo by which it is told to become the program. */
export const START: Named = named(STATUS_FD, 'start')

const userNamespaceOf = ({ linux }: Spec, { made }: ContainerNamespaces, host: PlanHost): UserNamespace => {
  const [uids, gids] = [idMapOf(linux?.uidMappings ?? []), idMapOf(linux?.gidMappings ?? [])]
  if (made.has('user')) {
    if (uids.length > 0 && gids.length > 0) return { kind: 'mapped', uids, gids, helper: host.uid !== 0 }
    throw new InputError({
      operation: 'use config.json: linux.namespaces',
      reason: 'it has a new user namespace, and there are no uidMappings or no gidMappings for it',
    })
  }
  return { kind: 'host' }
}

/** The plan of a bundle's container in the making. */
export class OciContext extends PlanContext {
  readonly request: BundleRequest
  readonly oci: Spec
  readonly namespaces: ContainerNamespaces
  /** What stays open until the program runs: they come first among the descriptors that the stage inherits. */
  readonly report: Named | undefined
  readonly preserved: readonly Named[]
  readonly reportRegister: Register
  readonly preservedRegisters: readonly Register[]
  /** What the hooks `startContainer` read, if there are any. */
  readonly startState: Named | undefined
  readonly startStateRegister: Register
  /** The number of the first descriptor that only the setup needs. */
  readonly firstOfSetup: number

  constructor(request: BundleRequest, process: ProcessSpec, host: PlanHost) {
    const { spec: oci, rootfs } = request
    const namespaces = namespacesOf(oci.linux?.namespaces)
    const spec: ContainerSpec = {
      root: { kind: 'directory', path: rootfs },
      readOnlyRoot: oci.root.readonly === true,
      mounts: [],
      devices: [],
      process,
      hostname: oci.hostname ?? '',
      userNamespace: userNamespaceOf(oci, namespaces, host),
      network: namespaces.made.has('net') ? 'none' : 'host',
      sysctls: [],
      maskedPaths: oci.linux?.maskedPaths ?? [],
      readonlyPaths: oci.linux?.readonlyPaths ?? [],
    }
    super(spec, host)
    this.request = request
    this.oci = oci
    this.namespaces = namespaces
    this.reportRegister = this.prepare.pinnedRegister('report fd')
    this.report = request.wait ? this.inherit(this.reportRegister) : undefined
    this.preservedRegisters = Array.from({ length: request.preserveFds }, (_, index) =>
      this.prepare.pinnedRegister(`descriptor ${index + 3}`),
    )
    this.preserved = this.preservedRegisters.map((register) => this.inherit(register))
    this.startStateRegister = this.prepare.pinnedRegister('state fd')
    const hooks = oci.hooks?.startContainer ?? []
    this.startState = hooks.length === 0 ? undefined : this.inherit(this.startStateRegister)
    this.firstOfSetup = FIRST_FREE_FD + this.inherited.length
  }

  /** Whether it gets ids of its own, or goes by those of a user namespace that it joins. */
  get inUserNamespace(): boolean {
    return this.mapped || this.namespaces.joined.has('user')
  }

  /** Whether it has namespaces of a kind that aren't the caller's. */
  has(kind: Parameters<ContainerNamespaces['made']['has']>[0]): boolean {
    return this.namespaces.made.has(kind) || this.namespaces.joined.has(kind)
  }
}
