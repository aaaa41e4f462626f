/* The bytes of a plan, as src/plan/encode.ts writes them and native/stage.c walks them.
 *
 *     header | steps | relocations | data
 *
 * All numbers are little-endian. A plan is the only thing that the stage reads: no configuration, no
 * environment, no file. Offsets that a step carries are relative to the start of the data. */
#ifndef TARE_PLAN_H
#define TARE_PLAN_H

#include <stdint.h>

#define PLAN_MAGIC 0x45524154u /* "TARE" */
#define PLAN_VERSION 1u
#define PLAN_MAX_STEPS 4096u
#define PLAN_MAX_SIZE (64u << 20)
#define PLAN_REGISTERS 128u
#define PLAN_NO_REGISTER 255u
#define PLAN_MIN_LOG (1u << 12)
#define PLAN_MAX_LOG (1u << 30)

/* Descriptors of the stage that have a fixed number. */
#define CONTROL_FD 3 /* SOCK_SEQPACKET to the parent: reports go up; leave to proceed, and descriptors, come down */
#define PLAN_FD 4    /* the plan */

struct plan_header {
    uint32_t magic;
    uint32_t version;
    uint32_t size;   /* of the whole plan, in bytes */
    uint32_t steps;  /* how many */
    uint32_t relocs; /* how many: each is the data offset of a 64-bit data offset that becomes an address */
    uint32_t data;   /* offset of the data in the plan: a multiple of 8, right behind the relocations */
    uint32_t data_size;
    uint32_t at; /* 0; then the step that is being taken, for a parent that finds the stage dead */
};

enum plan_op {
    OP_SYSCALL = 0, /* result = system call number `nr` of args */
    OP_CLONE = 1,   /* a system call that returns twice: the parent goes on at jump[0].target, the child at the next
                     * step; with CLONE_VM among the flags args[0], when the child has become a program or ended */
    OP_STORE = 2,   /* data[args[0]] = args[1], as args[2] (4 or 8) bytes */
    OP_LOAD = 3,    /* result = data[args[0]], of args[2] (4 or 8) bytes */
    OP_CHECK = 4,   /* fail with the errno args[2] unless args[0] == args[1] */
    OP_JUMP = 5,    /* go on at jump[0].target */
    OP_INIT = 6,    /* be PID 1 for the process args[0]; write a struct ended to descriptor args[1]; never returns */
    OP_FAIL = 7,    /* behave as a system call that failed with the errno args[0] (how faults are injected) */
    OP_MONITOR = 8, /* stay until the process of pidfd args[0] has ended: console args[1], listening socket args[2], log
                     * args[3] of args[5] bytes (PLAN_MIN_LOG to PLAN_MAX_LOG), socket for what init says args[4]; see monitor.h */
    OP_LAST = OP_MONITOR,
};

enum plan_kind {
    KIND_IMMEDIATE = 0,
    KIND_REGISTER = 1, /* the value of a register */
    KIND_DATA = 2,     /* the address of a data offset */
    KIND_LAST = KIND_DATA,
};

/* What follows an errno: go on at `target`. An errno of 0 ends the list; PLAN_ANY_ERRNO matches each. */
#define PLAN_JUMPS 4
#define PLAN_ANY_ERRNO 0xffffu
struct plan_jump {
    uint16_t error;
    uint16_t target;
};

struct plan_step {
    uint8_t op;
    uint8_t result; /* a register, or PLAN_NO_REGISTER */
    uint8_t kind[6];
    uint32_t nr;
    uint32_t reserved; /* 0 */
    struct plan_jump jump[PLAN_JUMPS];
    uint64_t arg[6];
};

/* What the stage says over the control socket. */
enum report_kind {
    REPORT_FAILED = 1,  /* step `step` failed with `error`; nothing runs */
    REPORT_REFUSED = 2, /* the plan is malformed (`step`: which, or ~0 for the header); nothing was done */
};
struct report {
    uint32_t kind;
    uint32_t step;
    int32_t error;
    uint32_t reserved;
};

/* What PID 1 writes when the program has ended. Its usage is told here, since what waitid(2) tells of PID 1 itself has
 * the peak memory of the process that it was cloned from. */
struct ended {
    uint32_t status; /* as of wait(2) */
    uint32_t reserved;
    uint64_t usage[18]; /* struct rusage of RUSAGE_CHILDREN (getrusage(2)) */
};

/* The log of a console: this, then from MONITOR_LOG_DATA on so many bytes as the plan says, of which byte n of all that
 * was ever written stands at n modulo their number. */
struct monitor_log {
    uint64_t written; /* how many bytes, ever */
    uint64_t state;   /* what init has said of itself */
};
#define MONITOR_LOG_DATA 64
#define MONITOR_READY 1    /* all is up */
#define MONITOR_STOPPING 2 /* all goes down */

/* The first byte of a message from one who is attached to a console. */
#define MONITOR_TYPED 0 /* then what was typed */
#define MONITOR_SIZE 1  /* then a struct winsize (ioctl_tty(2)) */

_Static_assert(sizeof(struct monitor_log) == 16, "monitor_log");
_Static_assert(sizeof(struct ended) == 152, "ended");
_Static_assert(sizeof(struct plan_header) == 32, "plan_header");
_Static_assert(sizeof(struct plan_step) == 80, "plan_step");
_Static_assert(sizeof(struct report) == 16, "report");

#endif
