/* The Node-API addon: what TypeScript can't do by itself. Eight functions:
 *
 *     syscall(nr, ...args)     a raw system call
 *     calls(table, …)          several of them in one go (calls.c)
 *     address(buffer)          the address of a buffer, for structures that point to others
 *     start(…)                 starts the stage
 *     proceed(child)           lets a stage go on that waits for its id maps
 *     finish(child)            after its end: why it could not become the stage
 *     watch(fd, …)             notice of a descriptor that becomes readable or writable: a pidfd whose process ended (watch.c)
 *     unwatch(fd)              no such notice any more (watch.c)
 *
 * It has no policy and words no errors: a failure is a negative errno. TypeScript checks every argument first. */
#define _GNU_SOURCE
#include "instance.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "spin.h"
#include "syscall.h"

#define NR_CLOSE_RANGE 436
#define NR_PIDFD_OPEN 434
#define CLOSE_RANGE_CLOEXEC_ 4u
#ifndef MFD_EXEC
#define MFD_EXEC 0x10u
#endif

/* The stage, as it was linked (see scripts/build.mjs). */
__asm__(".section .rodata\n.balign 16\n.globl stage_image\n.hidden stage_image\nstage_image:\n.incbin \"" STAGE_FILE "\"\n"
        ".globl stage_image_end\n.hidden stage_image_end\nstage_image_end:\n.previous\n");
extern const uint8_t stage_image[] __attribute__((visibility("hidden")));
extern const uint8_t stage_image_end[] __attribute__((visibility("hidden")));

static bool buffer_address(napi_env env, napi_value value, void **address) {
    bool is;
    if (napi_is_typedarray(env, value, &is) == napi_ok && is)
        return napi_get_typedarray_info(env, value, NULL, NULL, address, NULL, NULL) == napi_ok;
    if (napi_is_arraybuffer(env, value, &is) == napi_ok && is)
        return napi_get_arraybuffer_info(env, value, address, NULL) == napi_ok;
    if (napi_is_dataview(env, value, &is) == napi_ok && is)
        return napi_get_dataview_info(env, value, NULL, address, NULL, NULL) == napi_ok;
    return false;
}

/* syscall(nr, ...args): number. An argument is a number or bigint, a buffer (its address), a string (the address of
 * a copy, ended by NUL), or undefined or null (0). */
static napi_value binding_syscall(napi_env env, napi_callback_info info) {
    size_t argc = 7;
    napi_value argv[7];
    napi_get_cb_info(env, info, &argc, argv, NULL, NULL);
    int64_t nr;
    if (argc < 1 || napi_get_value_int64(env, argv[0], &nr) != napi_ok)
        return type_error(env, "syscall: the first argument is the number of the system call");
    int64_t arg[6] = {0};
    char *copies[6] = {0};
    const char *wrong = NULL;
    for (size_t i = 1; i < argc && i < 7 && !wrong; i++) {
        napi_valuetype type;
        napi_typeof(env, argv[i], &type);
        bool lossless;
        size_t length;
        void *address;
        switch (type) {
        case napi_number:
            napi_get_value_int64(env, argv[i], &arg[i - 1]);
            break;
        case napi_bigint: {
            uint64_t word;
            napi_get_value_bigint_int64(env, argv[i], &arg[i - 1], &lossless);
            if (!lossless) {
                napi_get_value_bigint_uint64(env, argv[i], &word, &lossless);
                arg[i - 1] = (int64_t)word;
                if (!lossless)
                    wrong = "syscall: a bigint has more than 64 bits";
            }
            break;
        }
        case napi_string:
            napi_get_value_string_utf8(env, argv[i], NULL, 0, &length);
            copies[i - 1] = malloc(length + 1);
            if (!copies[i - 1]) {
                wrong = "syscall: out of memory";
                break;
            }
            napi_get_value_string_utf8(env, argv[i], copies[i - 1], length + 1, &length);
            if (strlen(copies[i - 1]) != length)
                wrong = "syscall: a string holds a NUL character";
            arg[i - 1] = (int64_t)copies[i - 1];
            break;
        case napi_undefined:
        case napi_null:
            break;
        default:
            if (buffer_address(env, argv[i], &address))
                arg[i - 1] = (int64_t)address;
            else
                wrong = "syscall: an argument is no number, bigint, string, buffer or null";
        }
    }
    long result = wrong ? 0 : syscall6(nr, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
    for (int i = 0; i < 6; i++)
        free(copies[i]);
    return wrong ? type_error(env, wrong) : number(env, result);
}

/* address(buffer): bigint. Valid as long as the buffer is reachable. An engine may keep a small array's bytes where they
 * don't stay, until somebody asks for its ArrayBuffer: so that is asked for first. */
static napi_value binding_address(napi_env env, napi_callback_info info) {
    size_t argc = 1;
    napi_value argv[1], result;
    void *address;
    napi_get_cb_info(env, info, &argc, argv, NULL, NULL);
    bool is;
    napi_value stays;
    if (argc == 1 && napi_is_typedarray(env, argv[0], &is) == napi_ok && is)
        napi_get_typedarray_info(env, argv[0], NULL, NULL, NULL, &stays, NULL);
    if (argc < 1 || !buffer_address(env, argv[0], &address))
        return type_error(env, "address: the argument is no buffer");
    napi_create_bigint_uint64(env, (uint64_t)address, &result);
    return result;
}

/* The stage as a sealed memfd: nobody, not even we, can change it any more. */
static int stage_memfd(void) {
    int fd = (int)syscall6(SYS_memfd_create, (long)"tare-stage", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC, 0, 0, 0, 0);
    if (fd == -EINVAL) /* before Linux 6.3: no MFD_EXEC, and memfds are executable */
        fd = (int)syscall6(SYS_memfd_create, (long)"tare-stage", MFD_CLOEXEC | MFD_ALLOW_SEALING, 0, 0, 0, 0);
    if (fd < 0)
        return fd;
    size_t size = (size_t)(stage_image_end - stage_image);
    long done = syscall6(SYS_write, fd, (long)stage_image, (long)size, 0, 0, 0);
    if (done == (long)size)
        done = syscall6(SYS_fcntl, fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE, 0, 0, 0);
    if (done != 0) {
        close(fd);
        return done < 0 ? (int)done : -EIO;
    }
    return fd;
}

#define STAGE_MAX_SLOTS 256
#define STAGE_STACK_SIZE 16384

/* What the child needs until it has become the stage. It shares our memory, so this is memory too by which it tells. */
struct child {
    struct child *next; /* while it is spare */
    _Alignas(16) uint8_t stack[STAGE_STACK_SIZE];
    int stage;
    int32_t count;
    int32_t slots[STAGE_MAX_SLOTS]; /* slots[i] becomes descriptor i of the stage; -1 leaves it closed */
    uint64_t ignored;               /* signals that we ignore: bit n - 1 for signal n */
    int dumpable;                   /* ours, before */
    bool held;                      /* wait for the first proceed(), then become root of the new user namespace */
    int64_t unshare;                /* namespaces to make; if there are any, wait for one more proceed() after that */
    uint32_t go;                    /* how often proceed() was called, or ABANDONED */
    uint32_t turns;                 /* how often it has to be until nothing is waited for any more */
    struct child *waiting;          /* the next that waits */
    int parent;                     /* a pidfd of us, which it has a copy of */
    int32_t error;                  /* why it couldn't become the stage */
    bool unshared;                  /* whether that was later than unshare */
};

#define ABANDONED ~0u

__attribute__((noreturn)) static void child_exit(int status) {
    for (;;)
        syscall6(SYS_exit_group, status, 0, 0, 0, 0, 0);
}

/* Mostly that is a matter of microseconds: less than it takes to sleep and be woken on another processor.
 *
 * Should our parent end, nobody wakes us. A signal at its end (PR_SET_PDEATHSIG) would not do: a change of ids takes it
 * back, and it doesn't come if the parent has ended before it was asked for. So we look every now and then: a pidfd is
 * readable once its process has ended. */
static void wait_to_proceed(struct child *child, uint32_t times) {
    uint32_t seen = __atomic_load_n(&child->go, __ATOMIC_ACQUIRE);
    for (int turn = 0; turn < SPIN_TURNS && seen < times; turn++) {
        spin_pause();
        seen = __atomic_load_n(&child->go, __ATOMIC_ACQUIRE);
    }
    for (; seen < times; seen = __atomic_load_n(&child->go, __ATOMIC_ACQUIRE)) {
        struct {
            int64_t seconds, nanoseconds;
        } while_ago = {0, 100000000}, none = {0, 0};
        struct {
            int fd;
            short events, revents;
        } parent = {child->parent, 1 /* POLLIN */, 0};
        if (syscall6(SYS_futex, (long)&child->go, FUTEX_WAIT, seen, (long)&while_ago, 0, 0) == -ETIMEDOUT &&
            syscall6(SYS_ppoll, (long)&parent, 1, (long)&none, 0, 8, 0) != 0)
            child_exit(125);
    }
    if (seen == ABANDONED)
        child_exit(125);
}

/* Runs in the child on a stack of its own, but in our memory, beside us. So: system calls only, no thread-local storage,
 * and nothing written but the stack and `error`. Our handlers are gone (CLONE_CLEAR_SIGHAND) and all signals blocked,
 * which they stay: the plan says when to let them in. */
__attribute__((noreturn, used)) static void child_main(struct child *child) {
    long result = 0;
    /* What we ignore (Node ignores SIGPIPE) would stay ignored. */
    struct {
        void *handler;
        unsigned long flags;
        void *restorer;
        uint64_t mask;
    } action = {0};
    for (int signal = 1; signal <= 64; signal++)
        if (child->ignored >> (signal - 1) & 1)
            syscall6(SYS_rt_sigaction, signal, (long)&action, 0, 8, 0, 0);
    /* A process keeps its capabilities over an exec only as root of its user namespace, or else it would arrive at the
     * stage without any: so first the id maps have to be there. */
    if (child->held) {
        wait_to_proceed(child, 1);
        result = syscall6(SYS_setresgid, 0, 0, 0, 0, 0, 0);
        if (result >= 0)
            result = syscall6(SYS_setresuid, 0, 0, 0, 0, 0, 0);
        /* A change of ids makes a process undumpable, and with it all who share its memory: our parent too (prctl(2)). */
        if (child->dumpable == 1)
            syscall6(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0, 0);
    }
    /* To make namespaces takes the kernel as long as all the rest together: meanwhile our parent writes the plan. */
    if (child->unshare && result >= 0) {
        result = child->unshare < 0 ? child->unshare : syscall6(SYS_unshare, child->unshare, 0, 0, 0, 0, 0);
        child->unshared = result >= 0;
        if (result >= 0)
            wait_to_proceed(child, child->turns);
    } else {
        child->unshared = true;
    }
    /* First out of the way of the slots, then each into its own. */
    int32_t from[STAGE_MAX_SLOTS];
    for (int i = 0; i < child->count && result >= 0; i++) {
        from[i] = child->slots[i];
        if (from[i] >= 0 && from[i] < child->count && from[i] != i)
            result = from[i] = (int32_t)syscall6(SYS_fcntl, from[i], F_DUPFD_CLOEXEC, child->count, 0, 0, 0);
    }
    for (int i = 0; i < child->count && result >= 0; i++) {
        if (from[i] == i)
            result = syscall6(SYS_fcntl, i, F_SETFD, 0, 0, 0, 0);
        else if (from[i] >= 0)
            result = syscall6(SYS_dup3, from[i], i, 0, 0, 0, 0);
        else
            syscall6(SYS_close, i, 0, 0, 0, 0, 0);
    }
    if (result >= 0)
        result = syscall6(NR_CLOSE_RANGE, child->count, ~0u, CLOSE_RANGE_CLOEXEC_, 0, 0, 0);
    if (result >= 0) {
        const char *argv[] = {"tare", NULL}, *envp[] = {NULL};
        result = syscall6(SYS_execveat, child->stage, (long)"", (long)argv, (long)envp, AT_EMPTY_PATH, 0);
    }
    child->error = (int32_t)-result;
    child_exit(125);
}

/* long stage_clone(struct clone_args *, size_t, struct child *): clone3 whose child, on the stack that the arguments
 * name, goes to child_main and never comes back. C can't say this: a function can't return twice on two stacks. */
long stage_clone(struct clone_args *args, size_t size, struct child *child) __attribute__((visibility("hidden")));
#if defined(__x86_64__)
__asm__(".text\n.globl stage_clone\n.hidden stage_clone\n.type stage_clone, @function\nstage_clone:\n"
        " mov %rdx, %r8\n mov $435, %eax\n syscall\n test %rax, %rax\n jnz 1f\n"
        " xor %ebp, %ebp\n mov %r8, %rdi\n call child_main\n"
        "1: ret\n.size stage_clone, .-stage_clone\n");
#else
__asm__(".text\n.globl stage_clone\n.hidden stage_clone\n.type stage_clone, %function\nstage_clone:\n"
        " mov x3, x2\n mov x8, #435\n svc 0\n cbnz x0, 1f\n"
        " mov x29, xzr\n mov x0, x3\n bl child_main\n"
        "1: ret\n.size stage_clone, .-stage_clone\n");
#endif

static struct child *child_take(struct instance *instance) {
    struct child *child = instance->spare;
    if (child) {
        instance->spare = child->next;
        instance->spares--;
        return child;
    }
    child = mmap(NULL, sizeof *child, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return child == MAP_FAILED ? NULL : child;
}

static void child_give(struct instance *instance, struct child *child) {
    if (instance->spares == MAX_SPARE) {
        munmap(child, sizeof *child);
        return;
    }
    child->next = instance->spare;
    instance->spare = child;
    instance->spares++;
}

static uint64_t ignored_signals(void) {
    uint64_t ignored = 0;
    for (int signal = 1; signal <= 64; signal++) {
        struct {
            void *handler;
            unsigned long flags;
            void *restorer;
            uint64_t mask;
        } old;
        if (syscall6(SYS_rt_sigaction, signal, 0, (long)&old, 8, 0, 0) == 0 && old.handler == SIG_IGN)
            ignored |= 1ull << (signal - 1);
    }
    return ignored;
}

/* start(flags, slots, cgroup, held, unshare, result): the pid of the new stage; result[0] is its pidfd, result[1] what proceed()
 * and finish() take.
 *
 * The child shares our memory until it execs (CLONE_VM): no page table is copied, so that the cost doesn't grow with our
 * heap. Unlike after vfork(2) we don't wait for that: the child has a stack of its own and calls no library, and the
 * event loop goes on meanwhile. `flags` are the namespaces that have to be made by the clone itself (pid and user: a
 * process can't enter a new pid namespace, only its children do). `cgroup`: a descriptor of a cgroup v2 directory that
 * it is born in, or -1. `held`: the child waits for proceed(), and is root of its user namespace then. `unshare`: namespaces
 * that it makes next, after which it waits for proceed() (once more); a negative errno: how it fails to, for tests. */
static napi_value binding_start(napi_env env, napi_callback_info info) {
    size_t argc = 6, count, results;
    napi_value argv[6];
    int64_t flags, unshare;
    int32_t cgroup;
    bool held;
    void *slots, *result;
    napi_typedarray_type type, result_type;
    napi_get_cb_info(env, info, &argc, argv, NULL, NULL);
    if (argc < 6 || napi_get_value_int64(env, argv[0], &flags) != napi_ok ||
        napi_get_typedarray_info(env, argv[1], &type, &count, &slots, NULL, NULL) != napi_ok || type != napi_int32_array ||
        count > STAGE_MAX_SLOTS || napi_get_value_int32(env, argv[2], &cgroup) != napi_ok ||
        napi_get_value_bool(env, argv[3], &held) != napi_ok ||
        napi_get_value_int64(env, argv[4], &unshare) != napi_ok ||
        napi_get_typedarray_info(env, argv[5], &result_type, &results, &result, NULL, NULL) != napi_ok ||
        result_type != napi_bigint64_array || results < 2)
        return type_error(env, "start: takes flags, an Int32Array of at most 256 descriptors, a descriptor, a boolean, flags and a BigInt64Array");
    struct instance *instance = instance_of(env);
    if (instance->stage < 0) {
        int fd = stage_memfd();
        if (fd < 0)
            return number(env, fd);
        int self = (int)syscall6(NR_PIDFD_OPEN, getpid(), 0, 0, 0, 0, 0);
        if (self < 0) {
            close(fd);
            return number(env, self);
        }
        instance->stage = fd;
        instance->self = self;
        instance->ignored = ignored_signals();
    }
    struct child *child = child_take(instance);
    if (!child)
        return number(env, -ENOMEM);
    child->go = 0;
    child->error = 0;
    child->stage = instance->stage;
    child->count = (int32_t)count;
    child->held = held;
    child->turns = (uint32_t)held + (unshare != 0);
    child->parent = instance->self;
    child->unshare = unshare;
    child->unshared = false;
    child->dumpable = (int)syscall6(SYS_prctl, PR_GET_DUMPABLE, 0, 0, 0, 0, 0);
    child->ignored = instance->ignored;
    memcpy(child->slots, slots, count * sizeof *child->slots);
    int pidfd = -1;
    struct clone_args args = {
        .flags = (uint64_t)flags | CLONE_VM | CLONE_PIDFD | CLONE_CLEAR_SIGHAND | (cgroup >= 0 ? CLONE_INTO_CGROUP : 0),
        .pidfd = (uint64_t)&pidfd,
        .exit_signal = SIGCHLD,
        .stack = (uint64_t)child->stack,
        .stack_size = sizeof child->stack,
        .cgroup = (uint64_t)(cgroup >= 0 ? cgroup : 0),
    };
    /* No handler may run in the child before CLONE_CLEAR_SIGHAND has taken them: it would run in our memory. */
    uint64_t all = ~0ull, before;
    syscall6(SYS_rt_sigprocmask, SIG_SETMASK, (long)&all, (long)&before, 8, 0, 0);
    long pid = stage_clone(&args, sizeof args, child);
    syscall6(SYS_rt_sigprocmask, SIG_SETMASK, (long)&before, 0, 8, 0, 0);
    if (pid < 0) {
        child_give(instance, child);
        return number(env, pid);
    }
    if (child->turns > 0) {
        child->waiting = instance->waiting;
        instance->waiting = child;
    }
    ((int64_t *)result)[0] = pidfd;
    ((int64_t *)result)[1] = (int64_t)child;
    return number(env, pid);
}

/* It waits no longer, or has ended. */
static void child_unlink(struct instance *instance, struct child *child) {
    for (struct child **at = &instance->waiting; *at; at = &(*at)->waiting)
        if (*at == child) {
            *at = child->waiting;
            return;
        }
}

static struct child *child_of(napi_env env, napi_callback_info info) {
    size_t argc = 1;
    napi_value argv[1];
    int64_t address;
    bool lossless;
    napi_get_cb_info(env, info, &argc, argv, NULL, NULL);
    if (argc < 1 || napi_get_value_bigint_int64(env, argv[0], &address, &lossless) != napi_ok)
        return NULL;
    return (struct child *)address;
}

/* proceed(child): lets a waiting child go on. */
static napi_value binding_proceed(napi_env env, napi_callback_info info) {
    struct child *child = child_of(env, info);
    if (!child)
        return type_error(env, "proceed: takes what start returned");
    if (__atomic_add_fetch(&child->go, 1, __ATOMIC_RELEASE) >= child->turns)
        child_unlink(instance_of(env), child);
    return number(env, syscall6(SYS_futex, (long)&child->go, FUTEX_WAKE, 1, 0, 0, 0));
}

/* finish(child): frees what the child used; to be called once, when its process has ended. Why it could not become the
 * stage, as -errno, less 4096 if it was the namespaces that it could not make; 0 if it did, or was killed before. */
static napi_value binding_finish(napi_env env, napi_callback_info info) {
    struct child *child = child_of(env, info);
    if (!child)
        return type_error(env, "finish: takes what start returned");
    child_unlink(instance_of(env), child);
    int error = child->error;
    if (error && !child->unshared)
        error += 4096;
    child_give(instance_of(env), child);
    return number(env, -error);
}

static void instance_free(napi_env env, void *data, void *hint) {
    struct instance *instance = data;
    (void)env;
    (void)hint;
    /* A worker that is terminated lets go of what it has begun. Their memory stays, as they may still be running on it. */
    for (struct child *child = instance->waiting; child; child = child->waiting) {
        __atomic_store_n(&child->go, ABANDONED, __ATOMIC_RELEASE);
        syscall6(SYS_futex, (long)&child->go, FUTEX_WAKE, 1, 0, 0, 0);
    }
    if (instance->stage >= 0) {
        close(instance->stage);
        close(instance->self);
    }
    while (instance->spare) {
        struct child *child = instance->spare;
        instance->spare = child->next;
        munmap(child, sizeof *child);
    }
    free(instance);
}

NAPI_MODULE_INIT() {
    struct instance *instance = calloc(1, sizeof *instance);
    if (!instance)
        return NULL;
    instance->stage = instance->epoll = -1;
    napi_set_instance_data(env, instance, instance_free, NULL);
    napi_property_descriptor functions[] = {
        {"syscall", NULL, binding_syscall, NULL, NULL, NULL, napi_enumerable, NULL},
        {"calls", NULL, binding_calls, NULL, NULL, NULL, napi_enumerable, NULL},
        {"address", NULL, binding_address, NULL, NULL, NULL, napi_enumerable, NULL},
        {"start", NULL, binding_start, NULL, NULL, NULL, napi_enumerable, NULL},
        {"proceed", NULL, binding_proceed, NULL, NULL, NULL, napi_enumerable, NULL},
        {"finish", NULL, binding_finish, NULL, NULL, NULL, napi_enumerable, NULL},
        {"unwatch", NULL, binding_unwatch, NULL, NULL, NULL, napi_enumerable, NULL},
        {"watch", NULL, binding_watch, NULL, NULL, NULL, napi_enumerable, NULL},
    };
    napi_define_properties(env, exports, sizeof functions / sizeof *functions, functions);
    return exports;
}
