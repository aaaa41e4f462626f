/* What the addon keeps for each environment (Node's main thread, each of its workers), and what its parts share. */
#ifndef TARE_INSTANCE_H
#define TARE_INSTANCE_H

#define NAPI_VERSION 8
#include <node_api.h>

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct child;
struct poll;
struct watch;

/* How much memory of ended children is kept for those to come, rather than mapped and unmapped each time. */
#define MAX_SPARE 8

struct instance {
    uint64_t ignored; /* signals that we ignore: bit n - 1 for signal n; looked up at the first start */
    struct child *spare;
    int spares;
    bool prepared; /* for watch */
    void *loop;    /* Node's event loop; NULL elsewhere */
    struct poll *polls;
    napi_async_context context;
    struct child *waiting; /* those that wait for proceed() */
    int stage;  /* the sealed memfd that holds the stage, or -1 before the first start */
    int self;   /* a pidfd of this process, from then on */
    int epoll;  /* -1 before the first watch */
    int quit;   /* eventfd that ends the thread */
    pthread_t thread;
    napi_threadsafe_function ready;
    struct watch *watches; /* what the thread waits for */
    uint64_t last_watch;
};

static inline napi_value number(napi_env env, int64_t value) {
    napi_value result;
    napi_create_int64(env, value, &result);
    return result;
}

static inline napi_value type_error(napi_env env, const char *message) {
    napi_throw_type_error(env, NULL, message);
    return NULL;
}

static inline struct instance *instance_of(napi_env env) {
    void *data;
    napi_get_instance_data(env, &data);
    return data;
}

napi_value binding_calls(napi_env env, napi_callback_info info) __attribute__((visibility("hidden")));
napi_value binding_watch(napi_env env, napi_callback_info info) __attribute__((visibility("hidden")));
napi_value binding_unwatch(napi_env env, napi_callback_info info) __attribute__((visibility("hidden")));

#endif
