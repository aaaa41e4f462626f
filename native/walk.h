/* Checking a plan and walking it: the whole of what the stage does, apart from starting up.
 *
 * It has no policy. It knows no container, no path and no file format, allocates nothing, and loops only over
 * the steps, whose jumps go forward only: so a walk always ends. (As PID 1 of a container it stays, see `init`, and as
 * the parent of one in the background, see monitor.h.)
 * Every index and offset in a plan is checked before the first step is taken. The kernel checks the rest: a step
 * can do what its process may do, no more. */
#ifndef TARE_WALK_H
#define TARE_WALK_H

#include "monitor.h"
#include "plan.h"
#include "syscall.h"

#include <asm/unistd.h>

/* No libc, so no <errno.h>, <signal.h> and so on: these are the kernel's own numbers, the same on both architectures. */
#define E_INVAL 22
#define SIG_KILL 9
#define SIG_CHLD 17
#define SIG_STOP 19
#define P_ALL_ 0
#define W_NOHANG 1
#define W_EXITED 4
#define WALL_ 0x40000000
#define CLD_EXITED_ 1
#define RUSAGE_CHILDREN_ -1
#define CLONE_VM_ 0x100
#define CLONE_VFORK_ 0x4000

struct walk {
    struct plan_header *header;
    const struct plan_step *steps;
    uint8_t *data;
    int untracked; /* after a clone: the child tells where it is */
    uint64_t registers[PLAN_REGISTERS];
};

/* Returns 0, or what is wrong: 1 + the step's index, or ~0 for the header, the relocations or the data. */
static uint32_t plan_check(const uint8_t *bytes, uint64_t size, struct walk *walk) {
    const struct plan_header *h = (const struct plan_header *)bytes;
    if (size < sizeof *h || size > PLAN_MAX_SIZE || h->magic != PLAN_MAGIC || h->version != PLAN_VERSION)
        return ~0u;
    if (h->size != size || h->steps == 0 || h->steps > PLAN_MAX_STEPS || h->at != 0)
        return ~0u;
    uint64_t relocs = sizeof *h + (uint64_t)h->steps * sizeof(struct plan_step);
    uint64_t end = relocs + (uint64_t)h->relocs * 4;
    if (h->data < end || h->data - end >= 8 || h->data % 8 != 0 || (uint64_t)h->data + h->data_size != size)
        return ~0u;
    const uint32_t *reloc = (const uint32_t *)(bytes + relocs);
    for (uint32_t i = 0; i < h->relocs; i++) {
        if (reloc[i] % 8 != 0 || (uint64_t)reloc[i] + 8 > h->data_size)
            return ~0u;
        if (*(const uint64_t *)(bytes + h->data + reloc[i]) > h->data_size)
            return ~0u;
    }
    const struct plan_step *steps = (const struct plan_step *)(bytes + sizeof *h);
    for (uint32_t i = 0; i < h->steps; i++) {
        const struct plan_step *s = &steps[i];
        uint32_t wrong = i + 1;
        if (s->op > OP_LAST || s->reserved != 0 || (s->result != PLAN_NO_REGISTER && s->result >= PLAN_REGISTERS))
            return wrong;
        for (int a = 0; a < 6; a++) {
            if (s->kind[a] > KIND_LAST || (s->kind[a] == KIND_REGISTER && s->arg[a] >= PLAN_REGISTERS) ||
                (s->kind[a] == KIND_DATA && s->arg[a] > h->data_size))
                return wrong;
        }
        for (int j = 0; j < PLAN_JUMPS; j++) {
            int used = s->jump[j].error != 0 || ((s->op == OP_CLONE || s->op == OP_JUMP) && j == 0);
            if (used ? s->jump[j].target <= i || s->jump[j].target >= h->steps : s->jump[j].target != 0)
                return wrong;
        }
        if ((s->op == OP_CLONE || s->op == OP_JUMP) && s->jump[0].error != 0)
            return wrong;
        if (s->op == OP_STORE || s->op == OP_LOAD) {
            if (s->kind[0] != KIND_IMMEDIATE || s->kind[2] != KIND_IMMEDIATE || (s->arg[2] != 4 && s->arg[2] != 8))
                return wrong;
            if (s->arg[0] > h->data_size || h->data_size - s->arg[0] < s->arg[2] || s->arg[0] % s->arg[2] != 0)
                return wrong;
        }
        if ((s->op == OP_CHECK || s->op == OP_FAIL) && s->kind[s->op == OP_CHECK ? 2 : 0] != KIND_IMMEDIATE)
            return wrong;
        if ((s->op == OP_CHECK || s->op == OP_FAIL) &&
            (s->arg[s->op == OP_CHECK ? 2 : 0] == 0 || s->arg[s->op == OP_CHECK ? 2 : 0] > 4095))
            return wrong;
        if (s->op == OP_MONITOR && (s->kind[5] != KIND_IMMEDIATE || s->arg[5] < PLAN_MIN_LOG || s->arg[5] > PLAN_MAX_LOG))
            return wrong;
    }
    walk->header = (struct plan_header *)h;
    walk->steps = steps;
    walk->data = (uint8_t *)bytes + h->data;
    return 0;
}

/* Turns data offsets into addresses: argument vectors, iovecs, filters. Only after plan_check. */
static void plan_relocate(struct walk *walk) {
    const struct plan_header *h = walk->header;
    const uint32_t *reloc = (const uint32_t *)((const uint8_t *)h + sizeof *h + (uint64_t)h->steps * sizeof(struct plan_step));
    for (uint32_t i = 0; i < h->relocs; i++) {
        uint64_t *word = (uint64_t *)(walk->data + reloc[i]);
        if (*word <= h->data_size) /* else it was named before, and is an address already */
            *word += (uint64_t)walk->data;
    }
}

static void report(uint32_t kind, uint32_t step, long error) {
    struct report r = {kind, step, (int32_t)error, 0};
    syscall6(__NR_write, CONTROL_FD, (long)&r, sizeof r, 0, 0, 0);
}

__attribute__((noreturn)) static void leave(int status) {
    for (;;)
        syscall6(__NR_exit_group, status, 0, 0, 0, 0, 0);
}

/* PID 1 of a container, beside the program itself, or alone (`child` 0) where programs come and go. The kernel gives
 * every orphan of the namespace to PID 1, which must reap it; it discards signals to PID 1 that have no handler, which
 * is why the program had better not be PID 1 itself; and when PID 1 ends, the kernel kills all that is left. So: block
 * every signal, and take them one by one. SIGCHLD reaps; any other goes to the program, as it would have without us.
 * When the program has ended its wait status and what it used go to `status_fd`, and we end, and everything with us.
 * See pid_namespaces(7). */
__attribute__((noreturn)) static void init(long child, long status_fd) {
    struct {
        int32_t signo, error, code, pad, pid, uid, status;
        uint8_t rest[128 - 28];
    } info;
    uint64_t all = ~0ull;
    for (;;) {
        long signal = syscall6(__NR_rt_sigtimedwait, (long)&all, (long)&info, 0, 8, 0, 0);
        if (signal > 0 && signal != SIG_CHLD) {
            /* What a terminal sends, it sends to the whole foreground group, so the program has it already. */
            if (info.code > 0)
                continue;
            if (child > 0)
                syscall6(__NR_kill, child, signal, 0, 0, 0, 0);
            continue;
        }
        for (;;) {
            info.pid = 0;
            if (syscall6(__NR_waitid, P_ALL_, 0, (long)&info, W_EXITED | W_NOHANG | WALL_, 0, 0) < 0 || info.pid == 0)
                break;
            if (info.pid != child)
                continue;
            /* The form of wait(2): the signal in the low 7 bits, bit 7 for a core, else the exit code above. */
            static struct ended ended; /* in .bss: a compiler would zero it with memset, which is not there */
            ended.status = info.code == CLD_EXITED_ ? (uint32_t)info.status << 8
                                                    : (uint32_t)info.status | (info.code == 3 ? 0x80u : 0u);
            syscall6(__NR_getrusage, RUSAGE_CHILDREN_, (long)ended.usage, 0, 0, 0, 0);
            syscall6(__NR_write, status_fd, (long)&ended, sizeof ended, 0, 0, 0);
            leave(info.code == CLD_EXITED_ ? info.status : 128 + info.status);
        }
    }
}

#ifndef WALK_CLONE
/* A clone whose child shares our memory while we wait for its exec, as after vfork(2): no page table is copied for a
 * process that is about to drop it. It can't use our stack, for we come back to it; so it has one of its own, and goes
 * on with the walk in walk_child. C can't say this: a function can't return twice on two stacks. */
long walk_clone(uint64_t nr, uint64_t flags, void *stack, struct walk *walk, uint64_t from);
#if defined(__x86_64__)
__asm__(".text\n.globl walk_clone\nwalk_clone:\n"
        " mov %rdi, %rax\n mov %rsi, %rdi\n mov %rdx, %rsi\n mov %rcx, %r9\n xor %edx, %edx\n xor %r10d, %r10d\n"
        " syscall\n test %rax, %rax\n jnz 1f\n"
        " xor %ebp, %ebp\n mov %r9, %rdi\n mov %r8, %rsi\n call walk_child\n"
        "1: ret\n");
#else
__asm__(".text\n.globl walk_clone\nwalk_clone:\n"
        " mov x8, x0\n mov x0, x1\n mov x1, x2\n mov x6, x3\n mov x5, x4\n mov x2, xzr\n mov x3, xzr\n mov x4, xzr\n"
        " svc 0\n cbnz x0, 1f\n"
        " mov x29, xzr\n mov x0, x6\n mov x1, x5\n bl walk_child\n"
        "1: ret\n");
#endif
static uint8_t walk_stack[4096] __attribute__((aligned(16)));
#define WALK_CLONE(nr, flags, walk, from) walk_clone(nr, flags, walk_stack + sizeof walk_stack, walk, from)
#endif

/* Walks the plan from a step on. Returns only if a step failed: its index, with the errno in *error. A walk that comes to the end
 * of its plan without having become a program fails at the step behind the last. */
static uint32_t plan_walk(struct walk *walk, uint32_t from, long *error) {
    uint64_t *registers = walk->registers;
    uint32_t count = walk->header->steps;
    for (uint32_t i = from; i < count;) {
        const struct plan_step *s = &walk->steps[i];
        if (!walk->untracked)
            walk->header->at = i;
        uint64_t a[6];
        for (int k = 0; k < 6; k++)
            a[k] = s->kind[k] == KIND_REGISTER ? registers[s->arg[k]]
                   : s->kind[k] == KIND_DATA   ? (uint64_t)walk->data + s->arg[k]
                                               : s->arg[k];
        uint32_t next = i + 1;
        int64_t result = 0;
        switch (s->op) {
        case OP_SYSCALL:
        case OP_CLONE:
            if (s->op == OP_CLONE && a[0] & CLONE_VM_)
                result = WALK_CLONE(s->nr, a[0] | CLONE_VFORK_, walk, next);
            else
                result = syscall6(s->nr, a[0], a[1], a[2], a[3], a[4], a[5]);
            if (s->op == OP_CLONE && result > 0) {
                next = s->jump[0].target;
                walk->untracked = 1;
            }
            break;
        case OP_STORE:
            if (a[2] == 4)
                *(uint32_t *)(walk->data + a[0]) = (uint32_t)a[1];
            else
                *(uint64_t *)(walk->data + a[0]) = a[1];
            break;
        case OP_LOAD:
            result = a[2] == 4 ? (int64_t)*(uint32_t *)(walk->data + a[0]) : *(int64_t *)(walk->data + a[0]);
            break;
        case OP_CHECK:
            result = a[0] == a[1] ? 0 : -(int64_t)a[2];
            break;
        case OP_JUMP:
            next = s->jump[0].target;
            break;
        case OP_INIT:
            init((long)a[0], (long)a[1]);
        case OP_FAIL:
            result = -(int64_t)a[0];
            break;
        case OP_MONITOR:
            result = monitor((long)a[0], (long)a[1], (long)a[2], (long)a[3], (long)a[4], a[5]);
            break;
        }
        int fallible = s->op == OP_SYSCALL || s->op == OP_CLONE || s->op == OP_CHECK || s->op == OP_FAIL || s->op == OP_MONITOR;
        if (fallible && result < 0 && result >= -4095) {
            int found = 0;
            for (int j = s->op == OP_CLONE; j < PLAN_JUMPS && s->jump[j].error != 0 && !found; j++) {
                if (s->jump[j].error == PLAN_ANY_ERRNO || s->jump[j].error == -result) {
                    next = s->jump[j].target;
                    found = 1;
                }
            }
            if (!found) {
                *error = -result;
                return i;
            }
        }
        if (s->result != PLAN_NO_REGISTER)
            registers[s->result] = (uint64_t)result;
        i = next;
    }
    *error = E_INVAL;
    return count;
}

/* Where the child of walk_clone begins. */
__attribute__((noreturn, used)) static void walk_child(struct walk *walk, uint64_t from) {
    long error;
    uint32_t step = plan_walk(walk, (uint32_t)from, &error);
    report(REPORT_FAILED, step, error);
    leave(125);
}

#endif
