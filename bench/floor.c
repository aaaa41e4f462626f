/* The floor: the system calls of a default container, written by hand and with nothing around them.
 *
 *     floor COUNT PROGRAM FILTER [direct]
 *
 * makes COUNT containers one after the other, each running PROGRAM (a static one, mounted at /true), and prints for
 * each the nanoseconds from start to end. With COUNT 0 it makes one for each byte that it reads, until there are none.
 * FILTER is a file with the instructions of the seccomp filter.
 *
 * It mirrors what run() of the library leads to, call by call: bench/floor-sync.ts compares the two by strace and
 * tells every difference. `direct` leaves out what only a big parent needs: the child is a plain copy of this small
 * process and goes on at once, where the library's shares the memory of its parent and execs a stage.
 *
 * What depends on the host (which kernel files there are, where links lead) is looked up once, before all clocks. */
#include "../native/syscall.h"

#include <asm/unistd.h>
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/if.h>
#include <linux/memfd.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/poll.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/stat.h>
#include <linux/wait.h>

#define CALL(...) CALL_(__VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define CALL_(nr, a, b, c, d, e, f, ...) \
    syscall6(__NR_##nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define MUST(...) must(CALL(__VA_ARGS__), __LINE__)

#define CONTROL 3 /* descriptors of the stage, as native/plan.h has them */
#define FACTS 4
#define STATUS 5
#define FIRST_FREE 20 /* ours lie above those of the stage, as they do in Node */
#define LAST_CAP 40
#define REGULAR 0100000 /* S_IFREG and so on are the C library's names */
#define DIRECTORY 0040000
#define FILE_TYPE 0170000
#define CLOEXEC_RANGE 4 /* CLOSE_RANGE_CLOEXEC */
#define SIG_PIPE 13
#define SIG_CHLD 17
#define SIG_XFSZ 25
#define SECCOMP_FLAGS SECCOMP_FILTER_FLAG_SPEC_ALLOW
#define HOSTNAME "0f1e2d3c4b5a"
#define STAGE_NAME "floor's stage"
#define FIRST_ID 1000000000L

/* Looked up once, and handed to each stage as a memfd. */
struct facts {
    char program[256], localtime[128], links[6][64];
    unsigned char alternatives, ld_so_cache, read_only[5], masked[12]; /* 0: not there, 1: directory, 2: file */
    unsigned short instructions;
    struct sock_filter filter[4096]; /* only what is used is handed over */
};

/* What the child of the clone needs until it is the stage; it shares our memory. */
struct child {
    _Alignas(16) unsigned char stack[16384];
    unsigned go;
    int error;
    int slots[6], stage;
};

static const char *const link_names[] = {"bin", "sbin", "lib", "lib32", "lib64", "libx32"};
static const char *const read_only_names[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};
static const char *const masked_names[] = {
    "/proc/acpi",          "/proc/asound",      "/proc/interrupts", "/proc/kcore",
    "/proc/keys",          "/proc/latency_stats", "/proc/sched_debug", "/proc/scsi",
    "/proc/timer_list",    "/proc/timer_stats", "/sys/devices/virtual/powercap", "/sys/firmware",
};
#define COUNT_OF(list) (sizeof(list) / sizeof *(list))

static struct facts facts;
static int direct;
static int report_to = 2; /* the control socket once we are the stage */

static unsigned long length(const char *text) {
    unsigned long n = 0;
    while (text[n])
        n++;
    return n;
}

static int same(const char *a, const char *b) {
    while (*a && *a == *b)
        a++, b++;
    return *a == *b;
}

static unsigned long decimal(char *out, unsigned long value) {
    char digits[20];
    unsigned long n = 0, i = 0;
    do
        digits[n++] = (char)('0' + value % 10);
    while (value /= 10);
    while (n > 0)
        out[i++] = digits[--n];
    return i;
}

__attribute__((noreturn)) static void leave(int status) {
    for (;;)
        CALL(exit_group, status);
}

/* Tells the line of the call that failed, and its errno. */
static long must(long result, int line) {
    if (result >= 0 || result < -4095)
        return result;
    char text[64] = "floor.c:";
    unsigned long n = 8;
    n += decimal(text + n, (unsigned long)line);
    for (const char *words = ": errno "; *words; words++)
        text[n++] = *words;
    n += decimal(text + n, (unsigned long)-result);
    text[n++] = '\n';
    CALL(write, report_to, text, n);
    leave(125);
}

/* A compiler may put these where the source has an assignment. */
void *memset(void *to, int byte, unsigned long size) {
    for (unsigned long i = 0; i < size; i++)
        ((volatile unsigned char *)to)[i] = (unsigned char)byte;
    return to;
}
void *memcpy(void *to, const void *from, unsigned long size) {
    for (unsigned long i = 0; i < size; i++)
        ((volatile unsigned char *)to)[i] = ((const unsigned char *)from)[i];
    return to;
}

/* ---- the stage ---- */

static int filesystem(const char *type, const char *const (*options)[2], int attributes) {
    int fs = (int)MUST(fsopen, type, FSOPEN_CLOEXEC);
    for (; options && (*options)[0]; options++) {
        if ((*options)[1])
            MUST(fsconfig, fs, FSCONFIG_SET_STRING, (*options)[0], (*options)[1], 0);
        else
            MUST(fsconfig, fs, FSCONFIG_SET_FLAG, (*options)[0], 0, 0);
    }
    MUST(fsconfig, fs, FSCONFIG_CMD_CREATE, 0, 0, 0);
    return (int)MUST(fsmount, fs, FSMOUNT_CLOEXEC, attributes);
}

static void attach(int mount, int directory, const char *path) {
    MUST(move_mount, mount, "", directory, path, MOVE_MOUNT_F_EMPTY_PATH);
}

static void restrict_tree(int tree, int attributes, int recursive) {
    struct mount_attr attr = {.attr_set = (unsigned long)attributes};
    MUST(mount_setattr, tree, "", AT_EMPTY_PATH | recursive, &attr, sizeof attr);
}

/* Onto a target that is opened as the container would see it. */

static void file(int root, const char *path, const char *content) {
    int fd = (int)MUST(openat, root, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    MUST(write, fd, content, length(content));
}

static int take(const char *path) {
    return (int)MUST(open_tree, AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
}

enum { HARMLESS = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC };

static int make_dev(int root) {
    static const char *const size[][2] = {{"mode", "755"}, {"size", "65536k"}, {0, 0}};
    static const char *const shm_size[][2] = {{"mode", "1777"}, {"size", "65536k"}, {0, 0}};
    static const char *const pts[][2] = {{"ptmxmode", "0666"}, {"mode", "0620"}, {"gid", "5"}, {0, 0}};
    static const char *const devices[][2] = {{"/dev/null", "null"},     {"/dev/zero", "zero"},       {"/dev/full", "full"},
                                             {"/dev/random", "random"}, {"/dev/urandom", "urandom"}, {"/dev/tty", "tty"}};
    int dev = filesystem("tmpfs", size, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
    attach(dev, root, "dev");
    MUST(mkdirat, dev, "pts", 0755);
    MUST(mkdirat, dev, "shm", 0755);
    MUST(mkdirat, dev, "mqueue", 0755);
    MUST(symlinkat, "/proc/self/fd", dev, "fd");
    MUST(symlinkat, "/proc/self/fd/0", dev, "stdin");
    MUST(symlinkat, "/proc/self/fd/1", dev, "stdout");
    MUST(symlinkat, "/proc/self/fd/2", dev, "stderr");
    MUST(symlinkat, "pts/ptmx", dev, "ptmx");
    for (unsigned i = 0; i < COUNT_OF(devices); i++) {
        int tree = take(devices[i][0]);
        MUST(mknodat, dev, devices[i][1], REGULAR | 0644, 0);
        attach(tree, dev, devices[i][1]);
    }
    attach(filesystem("devpts", pts, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC), dev, "pts");
    attach(filesystem("tmpfs", shm_size, HARMLESS), dev, "shm");
    attach(filesystem("mqueue", 0, HARMLESS), dev, "mqueue");
    return dev;
}

static void mask(const struct facts *f, int proc, int sys, int dev) {
    for (unsigned i = 0; i < COUNT_OF(read_only_names); i++) {
        if (!f->read_only[i])
            continue;
        const char *name = read_only_names[i] + sizeof "/proc/" - 1;
        int tree = (int)MUST(open_tree, proc, name, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
        restrict_tree(tree, HARMLESS | MOUNT_ATTR_RDONLY, 0);
        attach(tree, proc, name);
    }
    int empty = -1;
    for (unsigned i = 0; i < COUNT_OF(masked_names); i++)
        if (f->masked[i] == 1 && empty < 0) {
            empty = filesystem("tmpfs", 0, HARMLESS | MOUNT_ATTR_RDONLY);
            attach(empty, AT_FDCWD, "/dev");
        }
    for (unsigned i = 0; i < COUNT_OF(masked_names); i++) {
        if (!f->masked[i])
            continue;
        int in_proc = masked_names[i][1] == 'p';
        const char *name = masked_names[i] + (in_proc ? sizeof "/proc/" : sizeof "/sys/") - 1;
        int cover = f->masked[i] == 1
                        ? (int)MUST(open_tree, empty, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH)
                        : (int)MUST(open_tree, dev, "null", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
        attach(cover, in_proc ? proc : sys, name);
    }
}

static const unsigned char kept[] = {
    CAP_CHOWN,  CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID, CAP_KILL,       CAP_NET_BIND_SERVICE,
    CAP_SETGID, CAP_SETPCAP,      CAP_SETUID, CAP_SYS_CHROOT,
};

static void credentials(void) {
    unsigned long set = 0;
    for (unsigned i = 0; i < COUNT_OF(kept); i++)
        set |= 1ul << kept[i];
    for (long cap = 0; cap <= LAST_CAP; cap++)
        if (!(set >> cap & 1))
            MUST(prctl, PR_CAPBSET_DROP, cap, 0, 0, 0);
    MUST(setgroups, 0, "");
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {
        {(unsigned)set, (unsigned)set, 0},
        {(unsigned)(set >> 32), (unsigned)(set >> 32), 0},
    };
    MUST(capset, &header, data);
    MUST(prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

__attribute__((noreturn)) static void be_init(long program) {
    static struct {
        unsigned status, reserved;
        unsigned char usage[144];
    } ended;
    struct {
        int signo, error, code, pad, pid, uid, status, rest[25];
    } info;
    unsigned long all = ~0ul;
    for (;;) {
        CALL(rt_sigtimedwait, &all, &info, 0, 8);
        for (;;) {
            info.pid = 0;
            if (CALL(waitid, P_ALL, 0, &info, WEXITED | WNOHANG | __WALL, 0) < 0 || info.pid == 0)
                break;
            if (info.pid != program)
                continue;
            ended.status = (unsigned)info.status << 8;
            CALL(getrusage, -1, ended.usage);
            CALL(write, STATUS, &ended, sizeof ended);
            leave(info.status);
        }
    }
}

/* The last steps, in a process that shares the memory of the stage, which waits for its exec. */
__attribute__((noreturn, used)) static void program_main(const struct facts *f) {
    unsigned long none = 0;
    MUST(rt_sigprocmask, 2, &none, 0, 8);
    MUST(setsid, 0);
    MUST(umask, 022);
    MUST(close_range, 3, ~0u, CLOEXEC_RANGE);
    struct sock_fprog filter = {f->instructions, (struct sock_filter *)f->filter};
    MUST(seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FLAGS, &filter);
    const char *argv[] = {"/true", 0};
    const char *envp[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root",
                          "HOSTNAME=" HOSTNAME, 0};
    MUST(execve, "/true", argv, envp);
    leave(125);
}

/* clone(2) whose child, on a stack of its own, goes to program_main. */
long clone_program(unsigned long flags, void *stack, const struct facts *f);
#if defined(__x86_64__)
__asm__(".text\n.globl clone_program\nclone_program:\n mov %rdx, %r9\n mov $56, %eax\n xor %edx, %edx\n xor %r10d, %r10d\n"
        " syscall\n test %rax, %rax\n jnz 1f\n xor %ebp, %ebp\n mov %r9, %rdi\n call program_main\n1: ret\n");
#else
__asm__(".text\n.globl clone_program\nclone_program:\n mov x5, x2\n mov x8, #220\n mov x2, xzr\n mov x3, xzr\n mov x4, xzr\n"
        " svc 0\n cbnz x0, 1f\n mov x29, xzr\n mov x0, x5\n bl program_main\n1: ret\n");
#endif

__attribute__((noreturn)) static void stage(const struct facts *f) {
    static const char *const root_size[][2] = {{"size", "1073741824"}, {"nr_inodes", "1048576"}, {"mode", "755"}, {0, 0}};
    static const char *const directories[] = {"usr", "etc", "home", "run", "var", "proc", "sys", "dev"};
    struct mount_attr private = {.propagation = 1 << 18};
    MUST(mount_setattr, AT_FDCWD, "/", AT_RECURSIVE, &private, sizeof private);
    MUST(umask, 0);
    int usr = take("/usr");
    int alternatives = f->alternatives ? take("/etc/alternatives") : -1;
    int ld_so_cache = f->ld_so_cache ? take("/etc/ld.so.cache") : -1;
    int program = take(f->program);

    int root = filesystem("tmpfs", root_size, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
    attach(root, AT_FDCWD, "/");
    MUST(fchdir, root);
    for (unsigned i = 0; i < COUNT_OF(directories); i++)
        MUST(mkdirat, root, directories[i], 0755);
    MUST(mkdirat, root, "root", 0700);
    MUST(mkdirat, root, "tmp", 01777);
    MUST(mkdirat, root, "var/tmp", 01777);
    for (unsigned i = 0; i < COUNT_OF(link_names); i++)
        if (f->links[i][0])
            MUST(symlinkat, f->links[i], root, link_names[i]);
    if (f->localtime[0])
        MUST(symlinkat, f->localtime, root, "etc/localtime");
    file(root, "etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n");
    file(root, "etc/group", "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n");
    file(root, "etc/hosts", "127.0.0.1\tlocalhost\n::1\tlocalhost\n127.0.1.1\t" HOSTNAME "\n");
    file(root, "etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n");

    int proc = filesystem("proc", 0, HARMLESS);
    attach(proc, root, "proc");
    int sys = filesystem("sysfs", 0, HARMLESS | MOUNT_ATTR_RDONLY);
    attach(sys, root, "sys");
    int dev = make_dev(root);

    const int guarded = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
    restrict_tree(usr, guarded, AT_RECURSIVE);
    attach(usr, root, "usr");
    if (alternatives >= 0) {
        restrict_tree(alternatives, guarded, AT_RECURSIVE);
        MUST(mkdirat, root, "etc/alternatives", 0755);
        attach(alternatives, root, "etc/alternatives");
    }
    if (ld_so_cache >= 0) {
        restrict_tree(ld_so_cache, guarded, AT_RECURSIVE);
        MUST(mknodat, root, "etc/ld.so.cache", REGULAR | 0644, 0);
        attach(ld_so_cache, root, "etc/ld.so.cache");
    }
    restrict_tree(program, guarded, AT_RECURSIVE);
    MUST(mknodat, root, "true", REGULAR | 0644, 0);
    attach(program, root, "true");

    int socket = (int)MUST(socket, 2 /* AF_INET */, 2 /* SOCK_DGRAM */ | O_CLOEXEC, 0);
    struct {
        char name[16];
        short flags;
        char rest[22];
    } request = {"lo", IFF_UP, ""};
    MUST(ioctl, socket, 0x8914 /* SIOCSIFFLAGS */, &request);
    MUST(sethostname, HOSTNAME, sizeof HOSTNAME - 1);
    mask(f, proc, sys, dev);
    MUST(pivot_root, ".", ".");
    MUST(umount2, ".", 2 /* MNT_DETACH */);
    MUST(unshare, CLONE_NEWCGROUP);
    credentials();
    MUST(chdir, "/");
    MUST(prctl, PR_SET_PDEATHSIG, 9, 0, 0, 0);
    char byte;
    if (CALL(recvfrom, CONTROL, &byte, 1, 0x42 /* MSG_PEEK | MSG_DONTWAIT */, 0, 0) != -11)
        must(-32, __LINE__);

    MUST(prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
    MUST(close_range, STATUS + 1, ~0u, 0);
    static _Alignas(16) unsigned char stack[4096];
    long pid = must(clone_program(CLONE_VM | CLONE_VFORK | SIG_CHLD, stack + sizeof stack, f), __LINE__);
    MUST(close_range, 0, STATUS - 1, 0);
    be_init(pid);
}

/* ---- between the clone and the stage ---- */

struct action {
    void *handler;
    unsigned long flags;
    void *restorer;
    unsigned long mask;
};

static void wait_to_proceed(struct child *child, unsigned times) {
    for (unsigned seen; (seen = __atomic_load_n(&child->go, __ATOMIC_ACQUIRE)) < times;)
        CALL(futex, &child->go, FUTEX_WAIT, seen, 0, 0, 0);
}

__attribute__((noreturn, used)) static void child_main(struct child *child) {
    struct action dfl = {0};
    CALL(rt_sigaction, SIG_PIPE, &dfl, 0, 8);
    CALL(rt_sigaction, SIG_XFSZ, &dfl, 0, 8);
    wait_to_proceed(child, 1);
    long result = CALL(setresgid, 0, 0, 0);
    if (result >= 0)
        result = CALL(setresuid, 0, 0, 0);
    CALL(prctl, PR_SET_DUMPABLE, 1, 0, 0, 0); /* which the change of ids has undone, for us and all who share our memory */
    if (result >= 0)
        result = CALL(unshare, CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWTIME | CLONE_NEWNET);
    wait_to_proceed(child, 2);
    for (int i = 0; i < 6 && result >= 0; i++)
        result = CALL(dup3, child->slots[i], i, 0);
    if (result >= 0)
        result = CALL(close_range, 6, ~0u, CLOEXEC_RANGE);
    if (result >= 0) {
        if (direct) {
            report_to = CONTROL;
            CALL(close_range, 6, ~0u, 0);
            stage(&facts);
        }
        const char *argv[] = {STAGE_NAME, 0}, *envp[] = {0};
        result = CALL(execveat, child->stage, "", argv, envp, AT_EMPTY_PATH);
    }
    child->error = (int)-result;
    leave(125);
}

/* clone3 whose child, on the stack that the arguments name, goes to child_main. Without a stack it stays on ours, of
 * which it has a copy. */
long clone_child(struct clone_args *args, unsigned long size, struct child *child);
#if defined(__x86_64__)
__asm__(".text\n.globl clone_child\nclone_child:\n mov %rdx, %r8\n mov $435, %eax\n syscall\n test %rax, %rax\n jnz 1f\n"
        " xor %ebp, %ebp\n mov %r8, %rdi\n and $-16, %rsp\n call child_main\n1: ret\n");
#else
__asm__(".text\n.globl clone_child\nclone_child:\n mov x3, x2\n mov x8, #435\n svc 0\n cbnz x0, 1f\n"
        " mov x29, xzr\n mov x0, x3\n bl child_main\n1: ret\n");
#endif

/* ---- the parent ---- */

static void map_ids(long pid, const char *file) {
    char path[64] = "/proc/", text[64] = "0 ";
    unsigned long n = 6 + decimal(path + 6, (unsigned long)pid);
    for (path[n++] = '/'; *file; file++)
        path[n++] = *file;
    path[n] = 0;
    unsigned long m = 2 + decimal(text + 2, FIRST_ID);
    for (const char *rest = " 65536\n"; *rest; rest++)
        text[m++] = *rest;
    int fd = (int)MUST(openat, AT_FDCWD, path, O_WRONLY | O_CLOEXEC);
    MUST(write, fd, text, m);
    MUST(close, fd);
}

static unsigned long now(void) {
    unsigned long time[2];
    MUST(clock_gettime, 1 /* CLOCK_MONOTONIC */, time);
    return time[0] * 1000000000 + time[1];
}

static void proceed(struct child *child) {
    __atomic_add_fetch(&child->go, 1, __ATOMIC_RELEASE);
    MUST(futex, &child->go, FUTEX_WAKE, 1, 0, 0, 0);
}

static unsigned long container(int stage_fd) {
    unsigned long began = now();
    int nothing = (int)MUST(openat, AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC);
    int out[2], err[2], control[2], status[2];
    MUST(pipe2, out, O_CLOEXEC);
    MUST(pipe2, err, O_CLOEXEC);
    MUST(socketpair, 1 /* AF_UNIX */, 5 /* SOCK_SEQPACKET */ | O_CLOEXEC, 0, control);
    MUST(pipe2, status, O_CLOEXEC);
    int plan = (int)MUST(memfd_create, "floor-facts", MFD_CLOEXEC);

    /* Shared in any case: a child with a copy of our memory has to see what we tell it, too. */
    struct child *child = (struct child *)MUST(mmap, 0, sizeof *child, 3, 0x21 /* MAP_SHARED | MAP_ANONYMOUS */, -1, 0);
    child->stage = stage_fd;
    int slots[6] = {nothing, out[1], err[1], control[1], plan, status[1]};
    for (int i = 0; i < 6; i++)
        child->slots[i] = slots[i];
    int pidfd = -1;
    struct clone_args args = {
        .flags = CLONE_NEWUSER | CLONE_NEWPID | CLONE_PIDFD | CLONE_CLEAR_SIGHAND | (direct ? 0 : CLONE_VM),
        .pidfd = (unsigned long)&pidfd,
        .exit_signal = SIG_CHLD,
        .stack = direct ? 0 : (unsigned long)child->stack,
        .stack_size = direct ? 0 : sizeof child->stack,
    };
    unsigned long all = ~0ul, before;
    MUST(rt_sigprocmask, 2, &all, &before, 8);
    long pid = must(clone_child(&args, sizeof args, child), __LINE__);
    MUST(rt_sigprocmask, 2, &before, 0, 8);
    MUST(close, control[1]);
    MUST(close, status[1]);
    map_ids(pid, "uid_map");
    map_ids(pid, "gid_map");
    proceed(child);
    MUST(write, plan, &facts, __builtin_offsetof(struct facts, filter) + facts.instructions * sizeof *facts.filter);
    proceed(child);
    MUST(close, nothing);
    MUST(close, out[1]);
    MUST(close, err[1]);

    char report[64], ended[152];
    int info[32];
    struct pollfd waits[3] = {{out[0], POLLIN, 0}, {err[0], POLLIN, 0}, {pidfd, POLLIN, 0}};
    for (int left = 3; left > 0;) {
        MUST(ppoll, waits, 3, 0, 0, 8);
        for (int i = 0; i < 3; i++) {
            if (waits[i].fd < 0 || !waits[i].revents)
                continue;
            if (i < 2 && MUST(read, waits[i].fd, report, sizeof report) > 0)
                continue;
            waits[i].fd = -1;
            left--;
        }
    }
    MUST(waitid, 3 /* P_PIDFD */, pidfd, info, WEXITED | WNOHANG, 0);
    must(-child->error, __LINE__);
    MUST(munmap, child, sizeof *child);
    long told = CALL(recvfrom, control[0], report, sizeof report, 0x40 /* MSG_DONTWAIT */, 0, 0);
    if (told > 0) {
        CALL(write, 2, report, told);
        leave(1);
    }
    if (MUST(read, status[0], ended, sizeof ended) != sizeof ended || info[6] != 0)
        must(-5, __LINE__);
    MUST(close, out[0]);
    MUST(close, err[0]);
    MUST(close, pidfd);
    MUST(close, control[0]);
    MUST(close, status[0]);
    MUST(close, plan);
    return now() - began;
}

static unsigned char kind_of(const char *path) {
    struct statx stat;
    if (CALL(statx, AT_FDCWD, path, 0, STATX_TYPE, &stat) < 0)
        return 0;
    return (stat.stx_mode & FILE_TYPE) == DIRECTORY ? 1 : 2;
}

static void read_link(const char *path, char *to, unsigned long size) {
    long n = CALL(readlinkat, AT_FDCWD, path, to, size - 1);
    to[n > 0 ? n : 0] = 0;
}

static void look_up(const char *program, const char *filter) {
    unsigned long n = length(program);
    if (n >= sizeof facts.program)
        must(-36, __LINE__);
    memcpy(facts.program, program, n + 1);
    int fd = (int)MUST(openat, AT_FDCWD, filter, O_RDONLY | O_CLOEXEC);
    facts.instructions = (unsigned short)(MUST(read, fd, facts.filter, sizeof facts.filter) / (long)sizeof *facts.filter);
    MUST(close, fd);
    for (unsigned i = 0; i < COUNT_OF(link_names); i++) {
        char path[16] = "/";
        memcpy(path + 1, link_names[i], length(link_names[i]) + 1);
        read_link(path, facts.links[i], sizeof facts.links[i]);
    }
    read_link("/etc/localtime", facts.localtime, sizeof facts.localtime);
    facts.alternatives = kind_of("/etc/alternatives");
    facts.ld_so_cache = kind_of("/etc/ld.so.cache");
    for (unsigned i = 0; i < COUNT_OF(read_only_names); i++)
        facts.read_only[i] = kind_of(read_only_names[i]);
    for (unsigned i = 0; i < COUNT_OF(masked_names); i++)
        facts.masked[i] = kind_of(masked_names[i]);
}

__attribute__((noreturn, used)) static void start(long *stack) {
    long argc = stack[0];
    char **argv = (char **)(stack + 1);
    if (argc == 1 && same(argv[0], STAGE_NAME)) { /* from the memfd */
        report_to = CONTROL;
        long size = MUST(lseek, FACTS, 0, 2);
        stage((const struct facts *)MUST(mmap, 0, size, 3, 1 /* MAP_SHARED */, FACTS, 0));
    }
    if (argc < 4) {
        static const char usage[] = "usage: floor COUNT PROGRAM FILTER [direct]\n";
        CALL(write, 2, usage, sizeof usage - 1);
        leave(2);
    }
    direct = argc > 4;
    look_up(argv[2], argv[3]);
    for (int fd = 3; fd < FIRST_FREE; fd++)
        MUST(dup3, 0, fd, O_CLOEXEC);
    int self = (int)MUST(openat, AT_FDCWD, "/proc/self/exe", O_RDONLY | O_CLOEXEC);
    static char image[65536];
    long size = MUST(read, self, image, sizeof image);
    MUST(close, self);
    int stage_fd = (int)MUST(memfd_create, "floor-stage", MFD_CLOEXEC | MFD_ALLOW_SEALING | 0x10 /* MFD_EXEC */);
    MUST(write, stage_fd, image, size);
    MUST(fcntl, stage_fd, F_ADD_SEALS, 15);
    unsigned long count = 0;
    for (const char *digit = argv[1]; *digit; digit++)
        count = count * 10 + (unsigned long)(*digit - '0');
    for (unsigned long i = 0; count == 0 || i < count; i++) {
        char line[24];
        if (count == 0 && MUST(read, 0, line, 1) == 0)
            break;
        unsigned long n = decimal(line, container(stage_fd));
        line[n++] = '\n';
        MUST(write, 1, line, n);
    }
    leave(0);
}

#if defined(__x86_64__)
__asm__(".globl _start\n_start:\n xor %ebp, %ebp\n mov %rsp, %rdi\n and $-16, %rsp\n call start\n");
#else
__asm__(".globl _start\n_start:\n mov x29, #0\n mov x30, #0\n mov x0, sp\n bl start\n");
#endif
