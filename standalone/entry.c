/* Where the standalone program begins: before Bun has read anything, right after the dynamic linker.
 *
 * Bun takes orders from the environment: BUN_BE_BUN makes of any program built with it the bare Bun, BUN_OPTIONS loads
 * other people's code into it, BUN_INSPECT and BUN_JSC_… open and tune it. What is run as root is not to be told by a
 * variable to be something else. So these variables are put out of Bun's sight here: their first underscore becomes
 * HIDDEN. standalone/main.js gives them their names back, for they may be meant for the program in the container.
 *
 * And it takes an addon only from a file. The only file there is when /tmp is full or noexec, that nobody else can have
 * made, and that doesn't stay, is one in memory: the addon lies in this very program and is put into a sealed memfd
 * here. The descriptor's number is told by the name of the thread ("tare 5"), which nobody but this process can set
 * (proc_pid_comm(5)); src/linux/addon-standalone.ts reads it. */
#include <stddef.h>
#include <stdint.h>

#include <asm/unistd.h>
#include <linux/auxvec.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/memfd.h>
#include <linux/prctl.h>

#include "../native/syscall.h"

#define HIDDEN '\1'

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8u
#endif

/* The addon, as it was linked (standalone/build.mjs). */
__asm__(".section .rodata\n.balign 16\n.globl addon\n.hidden addon\naddon:\n.incbin \"" ADDON_FILE "\"\n"
        ".globl addon_end\n.hidden addon_end\naddon_end:\n.previous\n");
extern const uint8_t addon[] __attribute__((visibility("hidden")));
extern const uint8_t addon_end[] __attribute__((visibility("hidden")));

static size_t length_of(const char *text) {
    size_t length = 0;
    while (text[length])
        length++;
    return length;
}

__attribute__((noreturn)) static void fail(const char *message) {
    syscall6(__NR_write, 2, (long)message, (long)length_of(message), 0, 0, 0);
    for (;;)
        syscall6(__NR_exit_group, 125, 0, 0, 0, 0, 0);
}

/* Whether a variable's name begins so; mimalloc, which Bun allocates with, takes its own in small letters too. */
static int begins(const char *variable, const char *prefix) {
    for (; *prefix; variable++, prefix++)
        if (*variable != *prefix && !(*variable >= 'a' && *variable <= 'z' && *variable - 'a' + 'A' == *prefix))
            return 0;
    return 1;
}

static void hide(char *variable) {
    static const char prefixes[][10] = {"BUN_", "JSC_", "MIMALLOC_", "NODE_"};
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
        if (begins(variable, prefixes[i]))
            variable[length_of(prefixes[i]) - 1] = HIDDEN;
}

static int addon_memfd(void) {
    long fd = syscall6(__NR_memfd_create, (long)"tare-addon", MFD_CLOEXEC | MFD_NOEXEC_SEAL, 0, 0, 0, 0);
    if (fd == -EINVAL) /* before Linux 6.3 */
        fd = syscall6(__NR_memfd_create, (long)"tare-addon", MFD_CLOEXEC | MFD_ALLOW_SEALING, 0, 0, 0, 0);
    /* Where standard input, output or error is closed its number is not to become ours. */
    if (fd >= 0 && fd < 3) {
        long low = fd;
        fd = syscall6(__NR_fcntl, low, F_DUPFD_CLOEXEC, 3, 0, 0, 0);
        syscall6(__NR_close, low, 0, 0, 0, 0, 0);
    }
    long size = addon_end - addon;
    if (fd < 0 || syscall6(__NR_write, fd, (long)addon, size, 0, 0, 0) != size)
        return -1;
    const long seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
    return syscall6(__NR_fcntl, fd, F_ADD_SEALS, seals, 0, 0, 0) == 0 ? (int)fd : -1;
}

static void tell(int fd) {
    char name[16] = "tare ", digits[10];
    int count = 0, at = 5;
    do
        digits[count++] = (char)('0' + fd % 10);
    while ((fd /= 10) > 0);
    while (count > 0)
        name[at++] = digits[--count];
    syscall6(__NR_prctl, PR_SET_NAME, (long)name, 0, 0, 0, 0);
}

/* `stack` is what the kernel has laid out: argc, argv, NULL, the environment, NULL, the auxiliary vector. */
__attribute__((used)) static void enter(uintptr_t *stack) {
    char **environment = (char **)(stack + 1 + stack[0] + 1);
    uintptr_t *auxv;
    for (; *environment; environment++)
        hide(*environment);
    for (auxv = (uintptr_t *)(environment + 1); *auxv != AT_NULL; auxv += 2)
        if (*auxv == AT_SECURE && auxv[1])
            fail("tare: cannot run set-user-id, set-group-id or with capabilities of its file: whoever may start it would "
                 "have that power\nTake these off the file; as root, or by sudo, it has all it needs.\n");
    int fd = addon_memfd();
    if (fd < 0)
        fail("tare: cannot put its native part into memory (memfd_create(2)): no memory or descriptors are left, or a "
             "filter of system calls forbids it\n");
    tell(fd);
}

/* The program's own entry wants every register and the stack as they were. On x86-64 rdx, and on arm64 x0, is a function
 * to be called at the end. */
#if defined(__x86_64__)
__asm__(".globl _start\n_start:\n push %rdx\n lea 8(%rsp), %rdi\n mov %rsp, %rbx\n and $-16, %rsp\n call enter\n"
        " mov %rbx, %rsp\n pop %rdx\n mov $" PROGRAM_ENTRY ", %rax\n jmp *%rax\n");
#else
__asm__(".globl _start\n_start:\n mov x19, x0\n mov x0, sp\n bl enter\n mov x0, x19\n ldr x16, =" PROGRAM_ENTRY "\n"
        " br x16\n .ltorg\n");
#endif
