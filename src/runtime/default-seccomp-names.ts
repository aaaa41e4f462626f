const list = (text: string): readonly string[] => text.trim().split(/\s+/)

const FILES = `
  open openat openat2 creat close close_range read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2
  lseek _llseek sendfile sendfile64 splice tee vmsplice copy_file_range readahead fadvise64 fadvise64_64
  arm_fadvise64_64 fallocate truncate truncate64 ftruncate ftruncate64 sync syncfs fsync fdatasync sync_file_range
  sync_file_range2 arm_sync_file_range dup dup2 dup3 pipe pipe2 fcntl fcntl64 flock
  stat stat64 lstat lstat64 fstat fstat64 newfstatat fstatat64 statx statfs statfs64 fstatfs fstatfs64
  access faccessat faccessat2 chmod fchmod fchmodat fchmodat2 chown chown32 lchown lchown32 fchown fchown32 fchownat
  utime utimes futimesat utimensat utimensat_time64 umask file_getattr file_setattr
  link linkat symlink symlinkat readlink readlinkat unlink unlinkat rename renameat renameat2
  mkdir mkdirat rmdir mknod mknodat getdents getdents64 getcwd chdir fchdir name_to_handle_at
  getxattr lgetxattr fgetxattr getxattrat setxattr lsetxattr fsetxattr setxattrat
  listxattr llistxattr flistxattr listxattrat removexattr lremovexattr fremovexattr removexattrat
  inotify_init inotify_init1 inotify_add_watch inotify_rm_watch fanotify_mark statmount listmount cachestat
`

const WAITING = `
  select _newselect pselect6 pselect6_time64 poll ppoll ppoll_time64 epoll_create epoll_create1 epoll_ctl epoll_ctl_old
  epoll_wait epoll_wait_old epoll_pwait epoll_pwait2 eventfd eventfd2 signalfd signalfd4 timerfd_create timerfd_gettime
  timerfd_gettime64 timerfd_settime timerfd_settime64 io_setup io_destroy io_submit io_cancel io_getevents
  io_pgetevents io_pgetevents_time64 futex futex_time64 futex_waitv futex_wait futex_wake futex_requeue
`

const MEMORY = `
  brk mmap mmap2 munmap mremap mprotect madvise msync mincore mlock mlock2 mlockall munlock munlockall
  remap_file_pages memfd_create memfd_secret mseal map_shadow_stack pkey_alloc pkey_free pkey_mprotect membarrier
`

const PROCESSES = `
  fork vfork execve execveat exit exit_group wait4 waitid waitpid getpid gettid getppid getpgid setpgid getpgrp getsid
  setsid pidfd_open pidfd_send_signal process_mrelease ptrace process_vm_readv process_vm_writev prctl arch_prctl
  set_tid_address set_robust_list get_robust_list rseq rseq_slice_yield set_thread_area get_thread_area set_tls get_tls
  modify_ldt cacheflush breakpoint uprobe uretprobe restart_syscall seccomp landlock_create_ruleset landlock_add_rule
  landlock_restrict_self getrlimit ugetrlimit setrlimit prlimit64 getrusage times getpriority setpriority nice
  ioprio_get ioprio_set getcpu sched_yield sched_getaffinity sched_setaffinity sched_getattr sched_setattr
  sched_getparam sched_setparam sched_getscheduler sched_setscheduler sched_get_priority_max sched_get_priority_min
  sched_rr_get_interval sched_rr_get_interval_time64
`

const IDENTITY = `
  getuid getuid32 geteuid geteuid32 getgid getgid32 getegid getegid32 getresuid getresuid32 getresgid getresgid32
  getgroups getgroups32 setuid setuid32 setgid setgid32 setreuid setreuid32 setregid setregid32 setresuid setresuid32
  setresgid setresgid32 setfsuid setfsuid32 setfsgid setfsgid32 setgroups setgroups32 capget capset uname sysinfo
`

const SIGNALS = `
  kill tkill tgkill pause signal sigaction sigaltstack sigpending sigprocmask sigreturn sigsuspend rt_sigaction
  rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64
  rt_tgsigqueueinfo
`

const TIME = `
  time gettimeofday clock_gettime clock_gettime64 clock_getres clock_getres_time64 clock_nanosleep
  clock_nanosleep_time64 nanosleep alarm getitimer setitimer timer_create timer_delete timer_getoverrun timer_gettime
  timer_gettime64 timer_settime timer_settime64 adjtimex clock_adjtime clock_adjtime64 getrandom
`

/** Neither socket(2), which has conditions, nor socketcall(2), whose conditions no filter can see. */
const SOCKETS = `
  socketpair bind listen accept accept4 connect shutdown getsockname getpeername getsockopt setsockopt send sendto
  sendmsg sendmmsg recv recvfrom recvmsg recvmmsg recvmmsg_time64
`

const IPC = `
  ipc semget semctl semop semtimedop semtimedop_time64 msgget msgctl msgsnd msgrcv shmget shmctl shmat shmdt
  mq_open mq_unlink mq_notify mq_getsetattr mq_timedsend mq_timedsend_time64 mq_timedreceive mq_timedreceive_time64
`

/** What any program may call; ioctl, socket, personality and clone come with conditions. */
export const ALLOWED: readonly string[] = [
  FILES,
  WAITING,
  MEMORY,
  PROCESSES,
  IDENTITY,
  SIGNALS,
  TIME,
  SOCKETS,
  IPC,
].flatMap(list)

/** What a capability is needed for; without it EPERM, as the kernel itself would say. */
export const PRIVILEGED: Readonly<Record<string, readonly string[]>> = {
  CAP_SYS_ADMIN: list(`
    mount umount umount2 pivot_root mount_setattr move_mount open_tree open_tree_attr fsopen fsconfig fsmount fspick
    unshare setns sethostname setdomainname quotactl quotactl_fd fanotify_init bpf perf_event_open syslog
    lookup_dcookie listns lsm_get_self_attr lsm_set_self_attr lsm_list_modules
  `),
  CAP_BPF: ['bpf'],
  CAP_PERFMON: ['perf_event_open'],
  CAP_SYSLOG: ['syslog'],
  CAP_DAC_READ_SEARCH: ['open_by_handle_at'],
  CAP_SYS_BOOT: ['reboot'],
  CAP_SYS_CHROOT: ['chroot'],
  CAP_SYS_MODULE: list('init_module finit_module delete_module'),
  CAP_SYS_NICE: list(`
    get_mempolicy set_mempolicy set_mempolicy_home_node mbind move_pages migrate_pages
  `),
  CAP_SYS_PACCT: ['acct'],
  CAP_SYS_PTRACE: list('kcmp pidfd_getfd process_madvise'),
  CAP_SYS_RAWIO: list('iopl ioperm'),
  CAP_SYS_TIME: list('settimeofday stime clock_settime clock_settime64'),
  CAP_SYS_TTY_CONFIG: ['vhangup'],
}

/**
 * What no capability unlocks: keyrings, which no namespace parts; io_uring and userfaultfd, the ground of many an
 * exploit; another kernel, swap, and the 8086's mode.
 */
export const REFUSED: readonly string[] = list(`
  add_key keyctl request_key io_uring_setup io_uring_enter io_uring_register userfaultfd
  kexec_load kexec_file_load swapon swapoff vm86 vm86old
`)
