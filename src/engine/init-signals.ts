import { SIGRTMIN } from '../linux/signal.ts'
import type { InitKind } from '../rootfs/init.ts'

/** The signals by which an init is told to switch off, and to boot anew. */
export const INIT_SIGNALS: Readonly<Record<InitKind, { readonly powerOff: number; readonly reboot: number }>> = {
  // systemd(1), "Signals"
  systemd: { powerOff: SIGRTMIN + 4, reboot: SIGRTMIN + 5 },
  // SIGUSR2 and SIGTERM: init/init.c of busybox
  busybox: { powerOff: 12, reboot: 15 },
  // SIGTERM and SIGINT: openrc-init(8)
  openrc: { powerOff: 15, reboot: 2 },
  // SIGINT, ctrl-alt-del, is the one way to shut these two down that needs no words (inittab(5), runit(8)). One of them
  // boots anew then, and the other switches off: what was asked for counts.
  runit: { powerOff: 2, reboot: 2 },
  sysvinit: { powerOff: 2, reboot: 2 },
  // SIGPWR, power failing, and SIGINT, ctrl-alt-del: what the kernel itself sends
  other: { powerOff: 30, reboot: 2 },
}
