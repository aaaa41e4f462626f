/* A crowd: GROUPS times new namespaces, each with the same number of processes that sleep, PROCESSES in all.
 *
 *     crowd PROCESSES GROUPS
 *
 * It writes a newline to standard output when all are there, and waits for the end of standard input: then it ends, and
 * with it all of them. Each group has five namespaces of its own (ipc, mnt, pid, user, uts). Without libc, so that a
 * process is as small as it gets. */
#include "../native/syscall.h"

#include <asm/unistd.h>
#include <linux/sched.h>
#include <stdint.h>

#define PR_SET_PDEATHSIG 1
#define SIGKILL 9
#define SIGCHLD 17
#define UNSHARED (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS)

static long number(const char *text) {
    long value = 0;
    for (; *text >= '0' && *text <= '9'; text++)
        value = 10 * value + (*text - '0');
    return value;
}

static long clone_with(uint64_t flags) {
    struct clone_args args = {.flags = flags, .exit_signal = SIGCHLD};
    return syscall6(__NR_clone3, (long)&args, sizeof args, 0, 0, 0, 0);
}

__attribute__((noreturn)) static void end(int status) {
    for (;;)
        syscall6(__NR_exit_group, status, 0, 0, 0, 0, 0);
}

__attribute__((noreturn)) static void sleep_on(void) {
    for (;;)
        syscall6(__NR_ppoll, 0, 0, 0, 0, 0, 0);
}

/* PID 1 of a group: starts the others, says so, and sleeps. They end with it. */
__attribute__((noreturn)) static void group(long size, int ready) {
    syscall6(__NR_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0, 0);
    for (long i = 1; i < size; i++) {
        long pid = clone_with(0);
        if (pid < 0)
            end(1);
        if (pid == 0)
            sleep_on();
    }
    syscall6(__NR_write, ready, (long)"\n", 1, 0, 0, 0);
    sleep_on();
}

__attribute__((noreturn, used)) static void crowd(const long *stack) {
    const char *const *argv = (const char *const *)(stack + 1);
    long processes = stack[0] == 3 ? number(argv[1]) : 0, groups = stack[0] == 3 ? number(argv[2]) : 0;
    int pipe[2];
    char byte;
    if (groups < 1 || processes < groups || syscall6(__NR_pipe2, (long)pipe, 0, 0, 0, 0, 0) < 0)
        end(2);
    for (long i = 0; i < groups; i++) {
        long pid = clone_with(UNSHARED);
        if (pid < 0)
            end(1);
        if (pid == 0)
            group(processes / groups + (i < processes % groups), pipe[1]);
        if (syscall6(__NR_read, pipe[0], (long)&byte, 1, 0, 0, 0) != 1)
            end(1);
    }
    syscall6(__NR_write, 1, (long)"\n", 1, 0, 0, 0);
    while (syscall6(__NR_read, 0, (long)&byte, 1, 0, 0, 0) > 0)
        continue;
    end(0);
}

#if defined(__x86_64__)
__asm__(".text\n.globl _start\n_start: xor %ebp, %ebp\n mov %rsp, %rdi\n and $-16, %rsp\n call crowd\n");
#else
__asm__(".text\n.globl _start\n_start: mov x29, xzr\n mov x0, sp\n bl crowd\n");
#endif
