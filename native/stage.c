/* The stage: a static program without libc that walks one plan and becomes the program of a container.
 *
 * It is started from a sealed memfd, so that /proc/self/exe of a process in a container never leads to a file of
 * the host (CVE-2019-5736). Descriptors 0, 1 and 2 are the program's; CONTROL_FD and PLAN_FD are ours; what lies
 * above is described by the plan. */
#include "walk.h"

#define PROT_READ_WRITE 3
/* Shared, so that the parent can see where we are, and no page is copied; populated, so that none has to be faulted in. */
#define MAP_SHARED_POPULATE 0x8001

static uint64_t plan_size(void) {
    /* lseek instead of fstat: no struct to know. */
    long size = syscall6(__NR_lseek, PLAN_FD, 0, 2, 0, 0, 0);
    return size < 0 ? 0 : (uint64_t)size;
}

__attribute__((noreturn, used)) static void stage(void) {
    static struct walk walk; /* in .bss: zero */
    uint64_t size = plan_size();
    long bytes = size == 0 || size > PLAN_MAX_SIZE
                     ? -1
                     : syscall6(__NR_mmap, 0, (long)size, PROT_READ_WRITE, MAP_SHARED_POPULATE, PLAN_FD, 0);
    uint32_t wrong = bytes < 0 && bytes >= -4095 ? ~0u : plan_check((const uint8_t *)bytes, size, &walk);
    if (wrong != 0) {
        report(REPORT_REFUSED, wrong == ~0u ? ~0u : wrong - 1, E_INVAL);
        leave(125);
    }
    plan_relocate(&walk);
    long error;
    uint32_t step = plan_walk(&walk, 0, &error);
    report(REPORT_FAILED, step, error);
    leave(125);
}

/* The kernel enters with the arguments on the stack, which we don't read; it wants no return address there. */
#if defined(__x86_64__)
__asm__(".globl _start\n_start:\n xor %ebp, %ebp\n and $-16, %rsp\n call stage\n");
#else
__asm__(".globl _start\n_start:\n mov x29, #0\n mov x30, #0\n bl stage\n");
#endif
