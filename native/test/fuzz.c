/* Fuzzes the walk of a plan: native/walk.h as it is, with system calls that do nothing but answer by chance.
 *
 * The input is a seed, a mode and the bytes of a plan. A plan that plan_check accepts is walked, and a second reading
 * of plan.h, the model below, goes along with it: each system call must be the one that the model expects, with the
 * same arguments, addresses of data within the data; in the end registers and data must be equal, and the rest of the
 * plan unchanged. The plan lies in memory of exactly its size. scripts/fuzz.mjs runs this under libFuzzer with
 * AddressSanitizer and UndefinedBehaviorSanitizer; replay.c runs it over files. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define TARE_SYSCALL_H /* ours instead of the kernel's */
static long syscall6(long nr, long a, long b, long c, long d, long e, long f);
/* Both ways to clone are one to the walk: it asks the kernel, and gets an answer. */
#define WALK_CLONE(nr, flags, walk, from) \
    syscall6((long)(nr), (long)a[0], (long)a[1], (long)a[2], (long)a[3], (long)a[4], (long)a[5])
#pragma GCC diagnostic ignored "-Wunused-function"
#include "../walk.h"

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: violated: %s\n", __FILE__, __LINE__, #condition);                                  \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

enum state { RUNNING, AT_CALL, AT_INIT, AT_MONITOR, ENDED };

struct model {
    enum state state;
    struct plan_header header;
    const struct plan_step *steps; /* a copy from before the walk */
    uint8_t *data;                 /* a copy, too, with the same addresses in it */
    uint8_t *real;                 /* the data of the walk */
    const struct plan_header *real_header;
    uint64_t registers[PLAN_REGISTERS];
    uint64_t chance;
    uint32_t at;
    bool tracked;
    uint32_t mark; /* the step that the header tells */
    long error;
    uint32_t calls;
    /* As PID 1: */
    long child, status_fd;
    int expected_exit; /* -1 before the end of the program */
    bool used, told;
    long signal; /* the last that came, or 0 if it is to be kept */
    /* As a monitor: */
    int32_t pidfd, console, listener, log, notify;
    uint64_t capacity, written, logged;
    bool over; /* its process has ended */
    uint32_t turns, last_reads;
    uint8_t clients[MONITOR_CLIENTS]; /* descriptors, 0: none */
};

static struct model model;
static jmp_buf left;

static uint64_t chance(void) {
    model.chance ^= model.chance << 13;
    model.chance ^= model.chance >> 7;
    model.chance ^= model.chance << 17;
    return model.chance;
}

static bool can_fail(const struct plan_step *s) {
    return s->op == OP_SYSCALL || s->op == OP_CLONE || s->op == OP_CHECK || s->op == OP_FAIL || s->op == OP_MONITOR;
}

/* Where a step goes on after an errno; 0 if nowhere. */
static uint32_t branch(const struct plan_step *s, int64_t error) {
    for (int j = s->op == OP_CLONE ? 1 : 0; j < PLAN_JUMPS; j++) {
        if (s->jump[j].error == 0)
            return 0;
        if (s->jump[j].error == error || s->jump[j].error == PLAN_ANY_ERRNO)
            return s->jump[j].target;
    }
    return 0;
}

static void settle(int64_t result) {
    const struct plan_step *s = &model.steps[model.at];
    uint32_t next = model.at + 1;
    if (s->op == OP_JUMP || (s->op == OP_CLONE && result > 0))
        next = s->jump[0].target;
    if (s->op == OP_CLONE && result > 0)
        model.tracked = false;
    if (can_fail(s) && result < 0 && result > -4096) {
        next = branch(s, -result);
        if (next == 0) {
            model.state = ENDED;
            model.error = (long)-result;
            return;
        }
    }
    if (s->result != PLAN_NO_REGISTER) {
        CHECK(s->result < PLAN_REGISTERS);
        model.registers[s->result] = (uint64_t)result;
    }
    CHECK(next > model.at);
    model.at = next;
    model.state = RUNNING;
}

static uint64_t argument(const struct plan_step *s, int index) {
    uint64_t value = s->arg[index];
    switch (s->kind[index]) {
    case KIND_IMMEDIATE:
        return value;
    case KIND_REGISTER:
        CHECK(value < PLAN_REGISTERS);
        return model.registers[value];
    default:
        CHECK(s->kind[index] == KIND_DATA && value <= model.header.data_size);
        return (uint64_t)(uintptr_t)(model.real + value);
    }
}

/* Takes the steps that make no system call. */
static void advance(void) {
    while (model.state == RUNNING) {
        if (model.at >= model.header.steps) {
            CHECK(model.at == model.header.steps);
            model.state = ENDED;
            model.error = 22;
            return;
        }
        if (model.tracked)
            model.mark = model.at;
        const struct plan_step *s = &model.steps[model.at];
        uint64_t where = argument(s, 0), value = argument(s, 1), size = argument(s, 2);
        switch (s->op) {
        case OP_SYSCALL:
        case OP_CLONE:
            model.state = AT_CALL;
            break;
        case OP_INIT:
            model.child = (long)where;
            model.status_fd = (long)value;
            model.state = AT_INIT;
            break;
        case OP_MONITOR:
            model.pidfd = (int32_t)where;
            model.console = (int32_t)value;
            model.listener = (int32_t)size;
            model.log = (int32_t)argument(s, 3);
            model.notify = (int32_t)argument(s, 4);
            model.capacity = argument(s, 5);
            model.over = false;
            model.turns = model.last_reads = 0;
            memset(model.clients, 0, sizeof model.clients);
            model.state = AT_MONITOR;
            break;
        case OP_STORE:
        case OP_LOAD: {
            uint64_t loaded = 0;
            CHECK((size == 4 || size == 8) && where + size <= model.header.data_size);
            if (s->op == OP_STORE)
                memcpy(model.data + where, &value, size);
            else
                memcpy(&loaded, model.data + where, size);
            settle((int64_t)loaded);
            break;
        }
        case OP_CHECK:
            settle(where == value ? 0 : -(int64_t)size);
            break;
        case OP_JUMP:
            settle(0);
            break;
        default:
            CHECK(s->op == OP_FAIL);
            settle(-(int64_t)where);
        }
    }
}

static int64_t answer(void) {
    switch (chance() % 5) {
    case 0:
        return 0;
    case 1:
        return (int64_t)(chance() % 1000);
    case 2:
        return -(int64_t)(chance() % 134);
    case 3:
        return -4095 - (int64_t)(chance() % 2); /* the last errno, and the first number that is none */
    default:
        return (int64_t)chance();
    }
}

/* A kernel may write where an argument points to. */
static void scribble(const struct plan_step *s, const uint64_t *args) {
    for (int k = 0; k < 6; k++) {
        if (s->kind[k] != KIND_DATA || chance() % 4 != 0)
            continue;
        uint64_t offset = args[k] - (uint64_t)(uintptr_t)model.real;
        if (offset < model.header.data_size)
            model.real[offset] = model.data[offset] = (uint8_t)chance();
    }
}

static long walk_call(long nr, const uint64_t *args) {
    const struct plan_step *s = &model.steps[model.at];
    CHECK((uint32_t)nr == s->nr);
    CHECK(++model.calls <= model.header.steps);
    CHECK(model.real_header->at == model.mark);
    for (int k = 0; k < 6; k++)
        CHECK(args[k] == argument(s, k));
    int64_t result = answer();
    scribble(s, args);
    settle(result);
    return (long)result;
}

/* The kernel as PID 1 sees it. siginfo is 128 bytes: signal, errno, code, then pid, uid, status (sigaction(2)). */
static long init_call(long nr, const uint64_t *args) {
    int32_t *info = (int32_t *)(uintptr_t)(nr == __NR_rt_sigtimedwait ? args[1] : args[2]);
    bool last = ++model.calls > 200;
    switch (nr) {
    case __NR_rt_sigtimedwait: {
        static const long signals[] = {17, 17, 15, 1, 64, -4, -11, 2};
        CHECK(model.expected_exit < 0 && model.signal == 0 && args[3] == 8);
        for (int i = 0; i < 32; i++)
            info[i] = (int32_t)chance();
        if (chance() % 2)
            info[2] = 0;
        long signal = last ? SIG_CHLD : signals[chance() % 8];
        model.signal = model.child > 0 && signal > 0 && signal != SIG_CHLD && info[2] <= 0 ? signal : 0;
        return signal;
    }
    case __NR_kill:
        CHECK(args[0] == (uint64_t)model.child && model.signal != 0 && args[1] == (uint64_t)model.signal);
        model.signal = 0;
        return answer();
    case __NR_waitid: {
        CHECK(model.expected_exit < 0 && model.signal == 0 && args[0] == P_ALL_ && (args[3] & W_NOHANG));
        uint64_t what = last ? 0 : chance() % 8;
        /* A plan may name a child that no process can be; such a PID 1 rightly stays for ever. */
        if (last && (model.child < 1 || model.child > 0x7fffffff))
            longjmp(left, 1);
        if (what == 1)
            return -10;
        info[2] = (int32_t)(1 + chance() % 3);
        info[4] = what == 0 ? (int32_t)model.child : what == 2 ? 0 : 1 + (int32_t)(chance() % 1000);
        info[6] = (int32_t)(info[2] == 1 ? chance() % 256 : 1 + chance() % 64);
        if (info[4] == model.child && model.child != 0)
            model.expected_exit = info[2] == 1 ? info[6] : 128 + info[6];
        return 0;
    }
    case __NR_getrusage:
        CHECK(model.expected_exit >= 0 && (int)args[0] == RUSAGE_CHILDREN_);
        memset((void *)(uintptr_t)args[1], 0x5a, 144);
        model.used = true;
        return 0;
    case __NR_write: {
        struct ended ended;
        CHECK(model.expected_exit >= 0 && model.used && args[0] == (uint64_t)model.status_fd && args[2] == sizeof ended);
        memcpy(&ended, (void *)(uintptr_t)args[1], sizeof ended);
        bool exited = (ended.status & 0x7f) == 0;
        CHECK(model.expected_exit == (int)(exited ? ended.status >> 8 : 128 + (ended.status & 0x7f)));
        for (int i = 0; i < 18; i++)
            CHECK(ended.usage[i] == 0x5a5a5a5a5a5a5a5aull);
        model.told = true;
        return answer();
    }
    case __NR_exit_group:
        CHECK(model.told && (int)args[0] == model.expected_exit);
        longjmp(left, 1);
    default:
        CHECK(!"a system call that PID 1 has no need of");
        return 0;
    }
}

/* One who is attached: descriptors from 100 on, so that none is mistaken for another. */
static uint8_t *client_of(uint64_t fd) {
    CHECK(fd != 0);
    for (int i = 0; i < MONITOR_CLIENTS; i++)
        if (model.clients[i] == fd)
            return &model.clients[i];
    CHECK(!"a descriptor of nobody who is attached");
    return NULL;
}

/* What may be written to: all of it is. */
static long fill(uint64_t to, uint64_t room) {
    static const char *const words[] = {"READY=1", "READY=1\n", "X=2\nREADY=1\n", "STOPPING=1", "READY=12", "", "READY="};
    uint8_t *bytes = (uint8_t *)(uintptr_t)to;
    for (uint64_t i = 0; i < room; i++)
        bytes[i] = (uint8_t)(chance() % 3);
    switch (chance() % 6) {
    case 0:
        return (long)room;
    case 1:
        return -11;
    case 2:
        return (long)(chance() % 2) - 4;
    case 3: {
        const char *word = words[chance() % 7];
        memcpy(bytes, word, strlen(word));
        return (long)strlen(word);
    }
    case 4:
        return 9;
    default:
        return (long)(chance() % (room + 1));
    }
}

static void read_all(uint64_t from, uint64_t count) {
    for (uint64_t i = 0; i < count; i++)
        (void)((const volatile uint8_t *)(uintptr_t)from)[i];
}

/* The kernel as the parent of a container in the background sees it. */
static long monitor_call(long nr, const uint64_t *args) {
    int32_t fd = (int32_t)args[0];
    bool last = ++model.turns > 300;
    switch (nr) {
    case __NR_pread64:
        CHECK(fd == model.log && args[2] == sizeof(struct monitor_log) && args[3] == 0);
        model.written = model.logged = chance() % 3 ? chance() % 9000 : chance();
        if (chance() % 8 == 0) {
            model.written = model.logged = 0;
            return -5;
        }
        memcpy((void *)(uintptr_t)args[1], &model.written, 8);
        memset((uint8_t *)(uintptr_t)args[1] + 8, 0, 8);
        return 16;
    case __NR_ppoll: {
        struct monitor_poll *polled = (struct monitor_poll *)(uintptr_t)args[0];
        CHECK(args[1] == MONITOR_POLLED && args[2] == 0 && args[3] == 0 && model.logged == model.written);
        CHECK(polled[0].fd == model.pidfd && (polled[1].fd == model.console || polled[1].fd == -1));
        for (int i = 0; i < MONITOR_CLIENTS; i++)
            CHECK(polled[4 + i].fd < 0 || polled[4 + i].fd == *client_of((uint64_t)polled[4 + i].fd));
        if (!last && chance() % 64 == 0) {
            settle(-12);
            return -12;
        }
        for (int i = 0; i < MONITOR_POLLED; i++)
            polled[i].revents = polled[i].fd < 0 || chance() % 2 ? 0 : (int16_t)(polled[i].events | (chance() % 8 ? 0 : 0x18));
        model.over = last || chance() % 32 == 0;
        polled[0].revents = model.over ? 1 : 0;
        return 1;
    }
    case __NR_read: {
        CHECK((fd == model.console || fd == -1) && args[2] == MONITOR_CHUNK);
        long count = last ? -11 : fill(args[1], args[2]);
        if (model.over && (count <= 0 || ++model.last_reads == MONITOR_LAST_READS)) {
            if (count > 0)
                count = -11;
            settle(0);
        } else if (count > 0) {
            model.written += (uint64_t)count;
        }
        return count;
    }
    case __NR_pwrite64:
        CHECK(fd == model.log);
        if (args[3] == 0) {
            uint64_t written;
            CHECK(args[2] == sizeof(struct monitor_log) && model.logged == model.written);
            memcpy(&written, (void *)(uintptr_t)args[1], 8);
            CHECK(written == model.written);
        } else {
            CHECK(args[3] - MONITOR_LOG_DATA == model.logged % model.capacity);
            CHECK(args[2] <= MONITOR_CHUNK && args[3] - MONITOR_LOG_DATA + args[2] <= model.capacity);
            model.logged += args[2];
        }
        read_all(args[1], args[2]);
        return chance() % 4 ? (long)args[2] : -28;
    case __NR_sendto:
        CHECK(*client_of(args[0]) && args[2] <= MONITOR_CHUNK && args[3] == (MSG_DONTWAIT_ | MSG_NOSIGNAL_));
        read_all(args[1], args[2]);
        return chance() % 8 ? (long)args[2] : -32;
    case __NR_recvfrom:
        CHECK(args[2] == MONITOR_CHUNK && args[3] == MSG_DONTWAIT_ && !model.over);
        if (args[0] < 100 || args[0] >= 200)
            CHECK(fd == model.notify);
        else
            CHECK(fd == model.notify || *client_of(args[0]));
        return fill(args[1], args[2]);
    case __NR_accept4: {
        CHECK(fd == model.listener && args[3] == SOCK_CLOEXEC_NONBLOCK && !model.over);
        if (chance() % 4 == 0)
            return chance() % 2 ? -11 : -24;
        uint8_t next = 100;
        for (int i = 0; i < MONITOR_CLIENTS; i++)
            if (model.clients[i] == next) {
                next++;
                i = -1;
            }
        for (int i = 0; i < MONITOR_CLIENTS; i++)
            if (model.clients[i] == 0) {
                model.clients[i] = next;
                return next;
            }
        return 200; /* one too many: it is to be closed at once */
    }
    case __NR_close:
        if (args[0] != 200)
            *client_of(args[0]) = 0;
        return 0;
    case __NR_write:
        CHECK((fd == model.console || fd == -1) && args[2] > 0 && args[2] < MONITOR_CHUNK && !model.over);
        read_all(args[1], args[2]);
        return chance() % 3 ? (long)(chance() % (args[2] + 1)) : chance() % 2 ? -11 : -5;
    case __NR_ioctl:
        CHECK((fd == model.console || fd == -1) && args[1] == TIOCSWINSZ_);
        read_all(args[2], 8);
        return answer();
    default:
        CHECK(!"a system call that a monitor has no need of");
        return 0;
    }
}

static long syscall6(long nr, long a, long b, long c, long d, long e, long f) {
    uint64_t args[6] = {(uint64_t)a, (uint64_t)b, (uint64_t)c, (uint64_t)d, (uint64_t)e, (uint64_t)f};
    enum state before = model.state;
    advance();
    if (model.state == AT_INIT && before != AT_INIT)
        model.calls = 0;
    CHECK(model.state == AT_CALL || model.state == AT_INIT || model.state == AT_MONITOR);
    return model.state == AT_CALL ? walk_call(nr, args) : model.state == AT_INIT ? init_call(nr, args) : monitor_call(nr, args);
}

/* Whether a plan is as plan.h says: a second reading, to hold plan_check against. */
static bool is_sound_step(const struct plan_step *s, uint32_t index, uint32_t steps, uint64_t data_size) {
    bool always = s->op == OP_CLONE || s->op == OP_JUMP;
    bool touches = s->op == OP_STORE || s->op == OP_LOAD;
    if (s->op > 8)
        return false;
    if (s->reserved)
        return false;
    if (s->result > 127 && s->result != 255)
        return false;
    for (int k = 0; k < 6; k++) {
        if (s->kind[k] == KIND_IMMEDIATE)
            continue;
        if (s->kind[k] > 2)
            return false;
        if (s->kind[k] == KIND_REGISTER && s->arg[k] > 127)
            return false;
        if (s->kind[k] == KIND_DATA && s->arg[k] > data_size)
            return false;
    }
    for (int j = 0; j < PLAN_JUMPS; j++) {
        bool used = s->jump[j].error != 0;
        if (always && j == 0) {
            if (used)
                return false;
            used = true;
        }
        if (!used && s->jump[j].target != 0)
            return false;
        if (used && s->jump[j].target <= index)
            return false;
        if (used && s->jump[j].target > steps - 1)
            return false;
    }
    if (touches) {
        if (s->kind[0] != KIND_IMMEDIATE)
            return false;
        if (s->kind[2] != KIND_IMMEDIATE)
            return false;
        if (s->arg[2] != 4 && s->arg[2] != 8)
            return false;
        if (s->arg[0] > data_size)
            return false;
        if (s->arg[0] + s->arg[2] > data_size)
            return false;
        if (s->arg[0] & (s->arg[2] - 1))
            return false;
    }
    if (s->op == OP_CHECK || s->op == OP_FAIL) {
        int k = s->op == OP_CHECK ? 2 : 0;
        if (s->kind[k] != KIND_IMMEDIATE)
            return false;
        if (s->arg[k] < 1)
            return false;
        if (s->arg[k] > 4095)
            return false;
    }
    if (s->op == OP_MONITOR) {
        if (s->kind[5] != KIND_IMMEDIATE)
            return false;
        if (s->arg[5] < 4096)
            return false;
        if (s->arg[5] > 1 << 30)
            return false;
    }
    return true;
}

static bool is_sound(const uint8_t *plan, size_t size) {
    struct plan_header h;
    if (size < sizeof h)
        return false;
    memcpy(&h, plan, sizeof h);
    if (memcmp(plan, "TARE", 4) != 0)
        return false;
    if (h.version != 1)
        return false;
    if (h.size != size)
        return false;
    if (h.steps < 1)
        return false;
    if (h.steps > 4096)
        return false;
    if (h.at)
        return false;
    uint64_t relocs = 32 + 80ull * h.steps;
    uint64_t end = relocs + 4ull * h.relocs;
    if (h.data != (end + 7) / 8 * 8)
        return false;
    if (h.data + (uint64_t)h.data_size != size)
        return false;
    for (uint32_t i = 0; i < h.relocs; i++) {
        uint32_t offset;
        uint64_t word;
        memcpy(&offset, plan + relocs + 4 * i, 4);
        if (offset & 7)
            return false;
        if (offset + 8ull > h.data_size)
            return false;
        memcpy(&word, plan + h.data + offset, 8);
        if (word > h.data_size)
            return false;
    }
    for (uint32_t i = 0; i < h.steps; i++) {
        struct plan_step s;
        memcpy(&s, plan + sizeof h + sizeof s * i, sizeof s);
        if (!is_sound_step(&s, i, h.steps, h.data_size))
            return false;
    }
    return true;
}

/* Makes a plan of bytes that are none: what is out of range is brought into it. */
static void shape(uint8_t *plan, size_t size, uint8_t mode) {
    struct plan_header *h = (struct plan_header *)plan;
    if (size < sizeof *h + sizeof(struct plan_step))
        return;
    uint32_t limit = (uint32_t)((size - sizeof *h) / sizeof(struct plan_step));
    h->magic = PLAN_MAGIC;
    h->version = PLAN_VERSION;
    h->size = (uint32_t)size;
    h->steps = 1 + h->steps % limit;
    h->at = 0;
    uint32_t relocs = (uint32_t)(sizeof *h + h->steps * sizeof(struct plan_step));
    uint32_t room = (uint32_t)size - relocs;
    h->relocs = room < 32 ? 0 : h->relocs % (room / 16);
    h->data = (relocs + h->relocs * 4 + 7) & ~7u;
    h->data_size = (uint32_t)size - h->data;
    for (uint32_t i = 0; i < h->relocs; i++) {
        uint32_t *reloc = (uint32_t *)(plan + relocs) + i;
        *reloc = *reloc % (h->data_size / 8) * 8;
        uint64_t *word = (uint64_t *)(plan + h->data + *reloc);
        *word %= (uint64_t)h->data_size + 1;
    }
    if (!(mode & 2))
        return;
    for (uint32_t i = 0; i < h->steps; i++) {
        struct plan_step *s = (struct plan_step *)(plan + sizeof *h) + i;
        uint32_t ahead = h->steps - i - 1;
        s->op %= OP_LAST + 1;
        s->reserved = 0;
        if (((s->op == OP_CLONE || s->op == OP_JUMP) && ahead == 0) ||
            ((s->op == OP_STORE || s->op == OP_LOAD) && h->data_size < 8))
            s->op = OP_SYSCALL;
        if (s->result != PLAN_NO_REGISTER)
            s->result %= PLAN_REGISTERS;
        for (int k = 0; k < 6; k++) {
            s->kind[k] %= KIND_LAST + 1;
            if ((s->op == OP_STORE || s->op == OP_LOAD) && (k == 0 || k == 2))
                s->kind[k] = KIND_IMMEDIATE;
            if ((s->op == OP_CHECK && k == 2) || (s->op == OP_FAIL && k == 0)) {
                s->kind[k] = KIND_IMMEDIATE;
                s->arg[k] = 1 + s->arg[k] % 4095;
            }
            if (s->op == OP_MONITOR && k == 5) {
                s->kind[k] = KIND_IMMEDIATE;
                s->arg[k] = 4096 + s->arg[k] % (s->arg[k] & 1 ? 6000 : PLAN_MAX_LOG - 4095);
            }
            if (s->kind[k] == KIND_REGISTER)
                s->arg[k] %= PLAN_REGISTERS;
            if (s->kind[k] == KIND_DATA)
                s->arg[k] %= (uint64_t)h->data_size + 1;
        }
        if (s->op == OP_STORE || s->op == OP_LOAD) {
            s->arg[2] = s->arg[2] & 1 ? 8 : 4;
            s->arg[0] = s->arg[0] % (h->data_size / s->arg[2]) * s->arg[2];
        }
        for (int j = 0; j < PLAN_JUMPS; j++) {
            struct plan_jump *jump = &s->jump[j];
            bool always = j == 0 && (s->op == OP_CLONE || s->op == OP_JUMP);
            uint32_t error = jump->error % 4 == 0 ? 0u : jump->error % 4 == 1 ? PLAN_ANY_ERRNO : 1u + jump->error % 133;
            jump->error = always || ahead == 0 ? 0 : (uint16_t)error;
            jump->target = always || jump->error != 0 ? (uint16_t)(i + 1 + jump->target % ahead) : 0;
        }
    }
}

/* Takes a plan just over one of its limits, or just up to it. */
static void damage(uint8_t *plan, size_t size, uint32_t what, uint32_t seed) {
    struct plan_header *h = (struct plan_header *)plan;
    if (size < sizeof *h + sizeof(struct plan_step) || h->steps == 0 ||
        size < sizeof *h + (uint64_t)h->steps * sizeof(struct plan_step))
        return;
    uint32_t index = seed % h->steps;
    struct plan_step *s = (struct plan_step *)(plan + sizeof *h) + index;
    uint32_t *reloc = (uint32_t *)(plan + sizeof *h + h->steps * sizeof *s);
    int k = seed / 7 % 6, j = seed / 7 % PLAN_JUMPS, more = seed / 42 % 2;
    bool named = h->relocs > 0 && h->data + (uint64_t)h->data_size == size && *reloc + 8ull <= h->data_size;
    switch (what) {
    case 0:
        h->version += 1;
        break;
    case 1:
        h->size += more ? 1 : -1u;
        break;
    case 2:
        h->steps = more ? 0 : h->steps + 1;
        if (more && h->relocs == 0) {
            h->data = sizeof *h;
            h->data_size = (uint32_t)size - h->data;
        }
        break;
    case 3:
        h->at = 1;
        break;
    case 4:
        h->relocs += 1 + more;
        break;
    case 5:
        h->data += more ? 8 : -8u;
        h->data_size -= more ? 8 : -8u;
        break;
    case 6:
        h->data_size += more ? 1 : -1u;
        break;
    case 7:
        h->data += 4;
        h->data_size -= 4;
        break;
    case 8:
        if (named)
            *reloc = (h->data_size & ~7u) - 8 + 8 * (uint32_t)more;
        break;
    case 9:
        if (named) {
            memset(plan + h->data + *reloc, 0, 8);
            *reloc = *reloc >= 4 ? *reloc - 4 : 4;
        }
        break;
    case 10:
        if (named) {
            uint64_t word = (uint64_t)h->data_size + (uint64_t)more;
            memcpy(plan + h->data + (*reloc & ~7u), &word, 8);
        }
        break;
    case 11:
        s->op = (uint8_t)(OP_LAST + 1 + more);
        break;
    case 12:
        s->result = (uint8_t)(127 + more);
        break;
    case 13:
        s->reserved = 1;
        break;
    case 14:
        s->kind[k] = (uint8_t)(2 + more);
        break;
    case 15:
        s->kind[k] = KIND_REGISTER;
        s->arg[k] = 127 + (uint64_t)more;
        break;
    case 16:
        s->kind[k] = KIND_DATA;
        s->arg[k] = (uint64_t)h->data_size + (uint64_t)more;
        break;
    case 17:
        s->jump[j].target = (uint16_t)(index + (uint32_t)more);
        break;
    case 18:
        s->jump[j].target = (uint16_t)(h->steps - 1 + (uint32_t)more);
        break;
    case 19:
        s->jump[j].error = more ? 9 : 0;
        break;
    case 20:
        s->arg[0] = more ? h->data_size & ~3u : (h->data_size - 4) & ~3u;
        break;
    case 21:
        s->arg[0] = (uint64_t)-8;
        break;
    case 22:
        s->arg[0] ^= 4;
        break;
    case 23:
        s->arg[2] = more ? 0 : 4;
        break;
    case 24:
        s->arg[2] = more ? 2 : 1;
        break;
    case 25:
        s->arg[s->op == OP_CHECK ? 2 : 0] = 4095 + (uint64_t)more;
        break;
    case 26:
        s->arg[s->op == OP_CHECK ? 2 : 0] = (uint64_t)more;
        break;
    case 27:
        s->kind[more ? 0 : 2] = KIND_REGISTER;
        s->arg[more ? 0 : 2] = 8;
        break;
    case 28:
        s->kind[more ? 0 : 2] = KIND_DATA;
        s->arg[more ? 0 : 2] = 8;
        break;
    case 29:
        s->arg[5] = more ? 4095 : PLAN_MAX_LOG;
        break;
    case 30:
        s->arg[5] = (uint64_t)PLAN_MAX_LOG + more;
        break;
    default:
        plan[seed % size] ^= (uint8_t)(1u << (seed >> 29));
    }
}

/* Memory of exactly this size: what lies behind it can't be touched without a fault. */
#if defined(__SANITIZE_ADDRESS__)
#define HAS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_SANITIZER 1
#endif
#endif

#ifdef HAS_SANITIZER
static uint8_t *allocate(size_t size) { return malloc(size); }
static void release(uint8_t *bytes, size_t size) {
    (void)size;
    free(bytes);
}
#else
static size_t pages(size_t size) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return (size + page - 1) / page * page;
}
/* Up to a page that can't be touched, but for the few bytes that align its start. */
static uint8_t *allocate(size_t size) {
    size_t whole = pages(size);
    uint8_t *all = mmap(NULL, whole + pages(1), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(all != MAP_FAILED && mprotect(all + whole, pages(1), PROT_NONE) == 0);
    return all + ((whole - size) & ~(size_t)7);
}
static void release(uint8_t *bytes, size_t size) {
    uintptr_t start = (uintptr_t)bytes & ~(uintptr_t)(pages(1) - 1);
    munmap((void *)start, pages(size) + pages(1));
}
#endif

static void walk_plan(uint8_t *plan, size_t size, struct walk *walk, uint64_t seed) {
    const struct plan_header *h = (const struct plan_header *)plan;
    plan_relocate(walk);
    const uint32_t *relocs = (const uint32_t *)(plan + sizeof *h + h->steps * sizeof(struct plan_step));
    for (uint32_t i = 0; i < h->relocs; i++) {
        uint64_t address;
        memcpy(&address, walk->data + relocs[i], 8);
        CHECK(address - (uint64_t)(uintptr_t)walk->data <= h->data_size);
    }
    uint8_t *copy = malloc(size);
    CHECK(copy);
    memcpy(copy, plan, size);
    model = (struct model){
        .header = *h,
        .steps = (const struct plan_step *)(copy + sizeof *h),
        .data = copy + h->data,
        .real = walk->data,
        .real_header = h,
        .chance = seed * 0x9e3779b97f4a7c15ull + 1,
        .tracked = true,
        .expected_exit = -1,
    };
    if (setjmp(left) == 0) {
        long error = 0;
        uint32_t step = plan_walk(walk, 0, &error);
        advance();
        CHECK(model.state == ENDED && step == model.at && error == model.error);
        CHECK(error > 0 && error < 4096 && h->at == model.mark);
    }
    CHECK(memcmp(walk->registers, model.registers, sizeof model.registers) == 0);
    ((struct plan_header *)plan)->at = 0;
    ((struct plan_header *)copy)->at = 0;
    CHECK(memcmp(plan, copy, size) == 0);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length);
int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length) {
    uint32_t seed;
    if (length < 9)
        return 0;
    memcpy(&seed, input, 4);
    uint8_t mode = input[4];
    size_t size = length - 8;
    uint8_t *plan = allocate(size);
    CHECK(plan);
    memcpy(plan, input + 8, size);
    if (mode & 1)
        shape(plan, size, mode);
    if (mode & 4)
        damage(plan, size, mode >> 3, seed);
    bool well_formed = (mode & 7) == 3 && size >= sizeof(struct plan_header) + sizeof(struct plan_step);
    static struct walk walk;
    memset(&walk, 0, sizeof walk);
    uint32_t wrong = plan_check(plan, size, &walk);
    CHECK((wrong == 0) == is_sound(plan, size));
    if (wrong == 0)
        walk_plan(plan, size, &walk, seed);
    else
        CHECK(!well_formed && (wrong == ~0u || wrong <= ((struct plan_header *)plan)->steps));
    release(plan, size);
    return 0;
}
