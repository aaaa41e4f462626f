export { InputError, TareError } from './linux/error.ts'
export type { TareErrorDetails } from './linux/error.ts'
export type { HostGroup, HostItem } from './inspect/host.ts'
export type { MakeCgroupOptions, RemoveCgroupOptions } from './engine/cgroup.ts'
export { makeCgroup, removeCgroup, setCgroup } from './engine/cgroup.ts'
export { newCgroup } from './engine/cgroup-new.ts'
export type { CgroupSettings } from './engine/cgroup-settings.ts'
export { CGROUP_SETTINGS, parseCgroupSettings } from './engine/cgroup-settings.ts'
export type { CgroupUse } from './inspect/cgroup-use.ts'
export { cgroupUse } from './inspect/cgroup-use.ts'
export type { CgroupLimit } from './inspect/cgroup-limits.ts'
export type { CgroupValue } from './inspect/cgroup-values.ts'
export { getCgroup } from './inspect/cgroup-values.ts'
export type { CgroupEntry } from './inspect/cgroups.ts'
export { listCgroups } from './inspect/cgroups.ts'
export { HOST_GROUPS, hostInfo } from './inspect/host.ts'
export type { Audit, AuditOptions, AuditedContainer, PromisedContainer } from './inspect/audit/audit.ts'
export type { PromiseCheck } from './inspect/audit/promises.ts'
export type { Promised, PromisedMount } from './runtime/promise.ts'
export { audit } from './inspect/audit/audit.ts'
export type { Finding, Severity, Verdict, Wall } from './inspect/audit/finding.ts'
export { WALLS, WALL_TITLES } from './inspect/audit/finding.ts'
export type { CapabilityRisk, RiskGain, RiskNeed, RiskSituation } from './inspect/capability-risk.ts'
export { CAPABILITY_RISKS, openCapabilityRisks } from './inspect/capability-risk.ts'
export type { CapabilityRealm, CapabilityView, ThreadCapabilities } from './inspect/process-capabilities.ts'
export { inspectCapabilities } from './inspect/process-capabilities.ts'
export type { ContainedProcess } from './inspect/contained-process.ts'
export type { ContainerOrigin } from './inspect/container-maker.ts'
export type { ContainedKind, FindContainersOptions, FoundContainer } from './inspect/containers.ts'
export { findContainers } from './inspect/containers.ts'
export type { ProcessNode } from './inspect/process-tree.ts'
export { processTree } from './inspect/process-tree.ts'
export type { NamespaceInodes, ProcessPart, ProcessParts, ReadProcess } from './inspect/processes.ts'
export { COMMAND_LINE_LIMIT, readProcesses } from './inspect/processes.ts'
export type {
  BindMount,
  ContainerOptions,
  DeviceRate,
  ExecOptions,
  MountOption,
  OutputOption,
  OverlayMount,
  ProgramOptions,
  RunOptions,
  StdinOption,
  TmpfsMount,
} from './engine/options.ts'
export type { Result, Usage } from './engine/program.ts'
export { Program } from './engine/program.ts'
export type { EnterOptions, IdMapOptions, LaunchOptions, UnshareOptions } from './engine/launch-options.ts'
export type { CapabilityLaunchOptions } from './engine/launch-capabilities.ts'
export { launchCapabilities } from './engine/launch-capabilities.ts'
export { launch } from './engine/launch.ts'
export { run } from './engine/run.ts'
export type { Password, PasswordOptions } from './engine/password.ts'
export { deletePassword, lockPassword, setPassword, unlockPassword } from './engine/password.ts'
export type { ShellOptions } from './engine/shell.ts'
export { shell } from './engine/shell.ts'
export type { BootOptions } from './engine/boot-options.ts'
export type { Machine, MachineEnd } from './engine/boot.ts'
export { boot } from './engine/boot.ts'
export { findMachine, machinesDirectory, newMachineDirectory } from './engine/machines-directory.ts'
export { mergeSettings } from './engine/settings/merge.ts'
export { readSettings, settingsPath, settingsSchema, writeSettings } from './engine/settings/settings.ts'
export type { Trace, TraceOptions } from './engine/trace/trace.ts'
export { traceFiles } from './engine/trace/trace.ts'
export type { LeftOutFile } from './engine/trace/trace-log.ts'
export type { Closure, ClosureOptions, TracedFile } from './rootfs/closure/closure.ts'
export { closure } from './rootfs/closure/closure.ts'
export type {
  ClosureEntry,
  DirectoryEntry,
  FileEntry,
  LinkEntry,
  MadeEntry,
  Reason,
  ReasonKind,
} from './rootfs/closure/entry.ts'
export type { Include } from './rootfs/closure/include.ts'
export type { BuildMethod, BuildOptions, BuiltRoot } from './rootfs/build/build.ts'
export { buildRoot } from './rootfs/build/build.ts'
export type { BootstrappedSystem } from './engine/bootstrap/bootstrap.ts'
export { bootstrap } from './engine/bootstrap/bootstrap.ts'
export type { BootstrapOptions, BootstrapVariant } from './engine/bootstrap/options.ts'
export { BOOTSTRAP_VARIANTS } from './engine/bootstrap/options.ts'
export type { BootstrapProgress } from './engine/bootstrap/progress.ts'
export type { ChrootOptions } from './engine/chroot.ts'
export { chroot, chrootLaunch } from './engine/chroot.ts'
export { Container, container } from './engine/container.ts'
export type { Explanation, ExplanationCounts } from './engine/explain.ts'
export { explain } from './engine/explain.ts'
export type { ExplainedPhase, ExplainedStep } from './plan/explain.ts'
export type { Mechanism } from './plan/step.ts'
export type { HostNamespace, HostNamespaces, NamespaceSearch, NamespaceSet } from './inspect/namespaces.ts'
export { hostNamespaces } from './inspect/namespaces.ts'
export type { NamespaceHolder } from './inspect/namespace-survey.ts'
export type { NamespaceProcess } from './inspect/namespace-process.ts'
export type { ComparedKind, ComparedProcess, NamespaceComparison } from './inspect/namespace-comparison.ts'
export { compareNamespaces } from './inspect/namespace-comparison.ts'
export { formatBytes, formatDuration, parseBytes } from './runtime/units.ts'
