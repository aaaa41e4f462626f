import { TareError } from '../linux/error.ts'
import { trySyscall } from '../linux/syscall.ts'
import type { CgroupStats } from '../linux/cgroup/stats.ts'
import { execInContainer } from '../runtime/exec.ts'
import type { PlanHost } from '../runtime/plan/context.ts'
import { planContainer } from '../runtime/plan.ts'
import type { Promised } from '../runtime/promise.ts'
import { promiseOf } from '../runtime/promise.ts'
import type { Running } from '../runtime/running.ts'
import type { ProcessSpec } from '../runtime/spec.ts'
import { startContainer } from '../runtime/start.ts'
import { checkOptions } from './check-options.ts'
import type { ContainerOptions, ExecOptions } from './options.ts'
import { CONTAINER_OPTIONS, PROGRAM_OPTIONS } from './options.ts'
import { Program, resolveWatch } from './program.ts'
import { checkCommand, checkMapped, checkWorkdir, resolveArgv0, resolveContainer } from './resolve.ts'
import { resolveCapabilities, resolveEnv } from './resolve-process.ts'
import { reserveLink } from './resolve-network.ts'
import { rootPath } from './resolve-root.ts'
import { resolveUser } from './resolve-user.ts'
import { makeStdio, makeTerminal, openNothing } from './stdio.ts'

export const EXEC_OPTIONS: readonly string[] = ['workdir', 'env', 'user', 'groups', ...PROGRAM_OPTIONS]

/** A running container in which programs come and go. It ends with its scope (`await using`), or by {@link stop}. */
export class Container implements AsyncDisposable {
  readonly #running: Running
  readonly #options: ContainerOptions
  readonly #host: PlanHost
  /** Its IPv4 address, where it has a link to the host. */
  readonly address: string | undefined

  constructor(running: Running, options: ContainerOptions, host: PlanHost, address?: string) {
    this.#running = running
    this.#options = options
    this.#host = host
    this.address = address
    // Its end by a kill is what stop() does: no error that somebody has to catch.
    running.ended.catch(() => undefined)
  }

  /** The id of its PID 1 on the host. */
  get pid(): number {
    return this.#running.pid
  }

  /** What it was promised when it was started; `audit` holds it against what is found. */
  get promised(): Promised {
    return promiseOf(this.#running.spec)
  }

  /** What it uses; undefined unless a limit gave it a control group. */
  stats(): CgroupStats | undefined {
    return this.#running.cgroup?.stats()
  }

  /**
   * Runs a program in the container, behind the same walls. User, environment and directory are the container's unless
   * given. `timeout` and `signal` end the program and those of its process group.
   */
  exec(command: readonly string[], options: ExecOptions = {}): Program {
    return new Program(() => {
      checkOptions(options, EXEC_OPTIONS)
      const watch = resolveWatch(options)
      const process = this.#process(checkCommand(command), options)
      const stdio = process.terminal ? makeTerminal() : makeStdio(options)
      const host = this.#host
      return { stdio, watch, start: () => execInContainer(this.#running, process, { stdio: stdio.descriptors, host }) }
    })
  }

  /** Ends every process in it; resolves when nothing of it is left. */
  async stop(): Promise<void> {
    this.#running.kill()
    await this.#running.ended.catch((error: unknown) => {
      if (!(error instanceof TareError && error.code === 'ERR_TARE_KILLED')) throw error
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  #process(command: readonly string[], options: ExecOptions): ProcessSpec {
    const { spec } = this.#running
    const given = options.user ?? this.#options.user ?? 0
    const user = resolveUser(given, options.groups ?? this.#options.groups ?? [], rootPath(this.#options.rootfs))
    checkMapped(spec.userNamespace, user)
    const tty = options.tty !== undefined && options.tty !== false
    return {
      ...spec.process,
      args: command,
      argv0: resolveArgv0(options.argv0),
      env: resolveEnv({ ...this.#options.env, ...options.env }, user, { hostname: spec.hostname, tty }),
      cwd: checkWorkdir(options.workdir ?? this.#options.workdir ?? '/'),
      uid: user.uid,
      gid: user.gid,
      groups: user.groups,
      capabilities: resolveCapabilities(this.#options, user),
      terminal: tty,
      size: typeof options.tty === 'object' ? options.tty : undefined,
      init: false,
    }
  }
}

/**
 * Starts a container without a program; {@link Container.exec} runs them. It goes with its scope, and with this process.
 *
 * @example
 * ```ts
 * await using box = await container({ memory: '1GiB' })
 * for await (const line of box.exec(['make', 'test']).lines()) console.log(line)
 * ```
 */
export const container = async (options: ContainerOptions = {}): Promise<Container> => {
  checkOptions(options, CONTAINER_OPTIONS)
  const { spec, host } = resolveContainer([], options)
  const plan = planContainer(spec, host)
  const nothing = openNothing()
  try {
    const network = reserveLink(spec, options)
    const running = await startContainer(plan, { stdio: [nothing, nothing, nothing], host, network })
    await running.started()
    // Either it stays, or what went wrong is known at once.
    if (!running.alive) await running.ended
    return new Container(running, options, host, network?.addresses.container)
  } finally {
    trySyscall('close', nothing)
  }
}
