/* System calls by the table: several of them in one go, as crossing over to the addon costs more than many a call. */
#define _GNU_SOURCE
#include "instance.h"

#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>

#include "spin.h"
#include "syscall.h"

/* Words of a table for each call: its number, six arguments, which of them are results of calls before it (bit n: argument
 * n is the place of that call in its part of the table), and room for its own result. */
enum { CALL_NR, CALL_ARGS, CALL_FROM = CALL_ARGS + 6, CALL_RESULT, CALL_WORDS };

/* Less than is mapped for a thread by default; the kernel gives memory to what is touched of it only. */
#define HELPER_STACK_SIZE (256 * 1024)

/* What a helper is at: it has no part of a table, or one; and then, whether somebody waits for its end. */
enum { IDLE, BUSY, AWAITED };

/* Parts of a table, which two threads take one after the other. */
struct work {
    int64_t *table;
    size_t length; /* calls of a part */
    size_t parts;
    size_t next; /* the first part that nobody has taken */
    uint32_t helper;
    uint32_t owners;
};

/* Helpers of this process that have not ended. There is one at most: if it has not come to its turn since the last time,
 * no processor is free. */
static uint32_t helpers;

static bool refers_back(const int64_t *part, size_t length) {
    for (size_t at = 0; at < length; at++)
        for (int i = 0; i < 6; i++)
            if (part[at * CALL_WORDS + CALL_FROM] >> i & 1 && (uint64_t)part[at * CALL_WORDS + CALL_ARGS + i] >= at)
                return false;
    return true;
}

static void make_calls(int64_t *part, size_t length) {
    for (size_t at = 0; at < length; at++) {
        int64_t *call = part + at * CALL_WORDS, arg[6], failed = 0;
        for (int i = 0; i < 6; i++) {
            arg[i] = call[CALL_ARGS + i];
            if (!(call[CALL_FROM] >> i & 1))
                continue;
            arg[i] = part[(size_t)arg[i] * CALL_WORDS + CALL_RESULT];
            if (arg[i] < 0)
                failed = arg[i];
        }
        call[CALL_RESULT] = failed ? failed : syscall6(call[CALL_NR], arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
    }
}

static void make_parts(struct work *work) {
    for (size_t part; (part = __atomic_fetch_add(&work->next, 1, __ATOMIC_ACQ_REL)) < work->parts;)
        make_calls(work->table + part * work->length * CALL_WORDS, work->length);
}

static void work_give(struct work *work) {
    if (__atomic_sub_fetch(&work->owners, 1, __ATOMIC_ACQ_REL) == 0)
        free(work);
}

/* Nobody waits for it to begin. It may find that all parts are taken: then it doesn't touch the table, which may be gone. */
static void *helper_main(void *data) {
    struct work *work = data;
    __atomic_store_n(&work->helper, BUSY, __ATOMIC_RELEASE);
    make_parts(work);
    if (__atomic_exchange_n(&work->helper, IDLE, __ATOMIC_ACQ_REL) == AWAITED)
        syscall6(SYS_futex, (long)&work->helper, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0);
    work_give(work);
    __atomic_store_n(&helpers, 0, __ATOMIC_RELEASE);
    return NULL;
}

/* A thread of its own for each time: it inherits what belongs to the calling thread alone (its namespaces, its ids and
 * capabilities, its filter of system calls). It takes no signal. */
static bool helper_start(struct work *work) {
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, before;
    if (pthread_attr_init(&attributes) != 0)
        return false;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED) == 0 &&
                   pthread_attr_setstacksize(&attributes, HELPER_STACK_SIZE) == 0 &&
                   pthread_create(&thread, &attributes, helper_main, work) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return started;
}

/* All parts are taken. Mostly the helper is done too, or is in a matter of microseconds. */
static void helper_wait(struct work *work) {
    for (int turn = 0; turn < SPIN_TURNS; turn++) {
        if (__atomic_load_n(&work->helper, __ATOMIC_ACQUIRE) == IDLE)
            return;
        spin_pause();
    }
    uint32_t seen = BUSY;
    if (!__atomic_compare_exchange_n(&work->helper, &seen, AWAITED, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        return;
    while (__atomic_load_n(&work->helper, __ATOMIC_ACQUIRE) == AWAITED)
        syscall6(SYS_futex, (long)&work->helper, FUTEX_WAIT_PRIVATE, AWAITED, 0, 0, 0);
}

/* Makes the parts of a table with a second thread. False: with none, as no memory or no thread is to be had. */
static bool make_with_helper(const struct work *plan) {
    uint32_t none = 0;
    if (!__atomic_compare_exchange_n(&helpers, &none, 1, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
        return false;
    struct work *work = malloc(sizeof *work);
    if (work) {
        *work = *plan;
        work->owners = 2;
    }
    if (!work || !helper_start(work)) {
        free(work);
        __atomic_store_n(&helpers, 0, __ATOMIC_RELEASE);
        return false;
    }
    make_parts(work);
    helper_wait(work);
    work_give(work);
    return true;
}

/* calls(table, length, parts, helped): undefined. The table is a BigInt64Array. Its first `parts` pieces of `length` calls
 * are made; those of a piece one after the other. A call that would take the result of one that failed is not made; its
 * own result is that error. `helped`: a second thread makes some of the pieces. */
napi_value binding_calls(napi_env env, napi_callback_info info) {
    size_t argc = 4, words;
    napi_value argv[4], undefined;
    napi_typedarray_type type;
    uint32_t length, parts;
    bool helped;
    struct work work = {0};
    napi_get_cb_info(env, info, &argc, argv, NULL, NULL);
    if (argc < 4 || napi_get_typedarray_info(env, argv[0], &type, &words, (void **)&work.table, NULL, NULL) != napi_ok ||
        type != napi_bigint64_array || napi_get_value_uint32(env, argv[1], &length) != napi_ok ||
        napi_get_value_uint32(env, argv[2], &parts) != napi_ok || napi_get_value_bool(env, argv[3], &helped) != napi_ok)
        return type_error(env, "calls: takes a BigInt64Array, the length of a part, how many parts, and whether it is helped");
    if ((uint64_t)length * parts > words / CALL_WORDS)
        return type_error(env, "calls: the table has nine words for each call, and is longer than its parts");
    work.length = length;
    work.parts = parts;
    for (size_t part = 0; part < parts; part++)
        if (!refers_back(work.table + part * length * CALL_WORDS, length))
            return type_error(env, "calls: an argument is the result of a call that was not made yet");
    if (!helped || !make_with_helper(&work))
        make_parts(&work);
    napi_get_undefined(env, &undefined);
    return undefined;
}
