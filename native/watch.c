/* Notice of a descriptor that becomes readable or writable, or whose other end is gone: watch() and unwatch() of the addon. */
#define _GNU_SOURCE
#include "instance.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

static void watch_call(napi_env env, struct instance *instance, napi_ref reference) {
    napi_value callback, recv, exception;
    napi_get_reference_value(env, reference, &callback);
    napi_delete_reference(env, reference);
    napi_get_global(env, &recv);
    if (napi_make_callback(env, instance->context, recv, callback, 0, NULL, NULL) == napi_pending_exception) {
        napi_get_and_clear_last_exception(env, &exception);
        napi_fatal_exception(env, exception);
    }
}

/* In Node a descriptor is watched by its own event loop. libuv's functions are part of the program; its types are
 * opaque to us. */
typedef struct uv_loop_s uv_loop_t;
typedef struct uv_poll_s uv_poll_t;
#define UV_POLL 8
#define UV_READABLE 1
#define UV_WRITABLE 2
__attribute__((weak)) size_t uv_handle_size(int type);
__attribute__((weak)) int uv_poll_init(uv_loop_t *loop, uv_poll_t *handle, int fd);
__attribute__((weak)) int uv_poll_start(uv_poll_t *handle, int events, void (*callback)(uv_poll_t *, int, int));
__attribute__((weak)) void uv_close(uv_poll_t *handle, void (*callback)(uv_poll_t *));

struct poll {
    struct instance *instance;
    napi_env env;
    int fd;
    napi_ref callback;
    struct poll *next, **self; /* all that are watched */
    _Alignas(16) uint8_t handle[];
};

static struct poll *poll_of(uv_poll_t *handle) { return (struct poll *)((uint8_t *)handle - offsetof(struct poll, handle)); }

static void poll_free(uv_poll_t *handle) { free(poll_of(handle)); }

static void poll_end(struct poll *poll) {
    *poll->self = poll->next;
    if (poll->next)
        poll->next->self = poll->self;
    uv_close((uv_poll_t *)poll->handle, poll_free);
}

static void poll_ready(uv_poll_t *handle, int status, int events) {
    struct poll *poll = poll_of(handle);
    napi_handle_scope scope;
    (void)status;
    (void)events;
    napi_open_handle_scope(poll->env, &scope);
    poll_end(poll);
    watch_call(poll->env, poll->instance, poll->callback);
    napi_close_handle_scope(poll->env, scope);
}

static int poll_begin(napi_env env, struct instance *instance, int fd, napi_value callback, bool write) {
    struct poll *poll = calloc(1, sizeof *poll + uv_handle_size(UV_POLL));
    if (!poll)
        return -ENOMEM;
    int error = uv_poll_init(instance->loop, (uv_poll_t *)poll->handle, fd);
    if (error < 0) {
        free(poll);
        return error;
    }
    poll->instance = instance;
    poll->fd = fd;
    poll->env = env;
    poll->next = instance->polls;
    poll->self = &instance->polls;
    if (poll->next)
        poll->next->self = &poll->next;
    instance->polls = poll;
    napi_create_reference(env, callback, 1, &poll->callback);
    return uv_poll_start((uv_poll_t *)poll->handle, write ? UV_WRITABLE : UV_READABLE, poll_ready);
}

static void polls_stop(void *data) {
    struct instance *instance = data;
    while (instance->polls)
        poll_end(instance->polls);
}

/* Elsewhere (Bun has no such loop) one thread waits for all descriptors, however many containers there are. It knows
 * them by number alone: one that is no longer watched may be among those that it has just been told of. */
struct watch {
    uint64_t id; /* never 0: that is the thread's own end */
    int fd;
    napi_ref callback;
    struct watch *next;
};

static void *watch_main(void *data) {
    struct instance *instance = data;
    for (;;) {
        struct epoll_event events[64];
        int count = epoll_wait(instance->epoll, events, 64, -1);
        for (int i = 0; i < count; i++) {
            if (!events[i].data.u64)
                return NULL;
            napi_call_threadsafe_function(instance->ready, (void *)(uintptr_t)events[i].data.u64, napi_tsfn_nonblocking);
        }
    }
}

/* Takes the watch at a place of the list out of it; its callback, which the caller is left with. */
static napi_ref watch_end(napi_env env, struct instance *instance, struct watch **at) {
    struct watch *watch = *at;
    napi_ref callback = watch->callback;
    epoll_ctl(instance->epoll, EPOLL_CTL_DEL, watch->fd, NULL);
    *at = watch->next;
    free(watch);
    if (!instance->watches)
        napi_unref_threadsafe_function(env, instance->ready);
    return callback;
}

static void watch_ready(napi_env env, napi_value unused, void *context, void *data) {
    struct instance *instance = context;
    (void)unused;
    for (struct watch **at = &instance->watches; env && *at; at = &(*at)->next) {
        if ((*at)->id != (uintptr_t)data)
            continue;
        watch_call(env, instance, watch_end(env, instance, at));
        return;
    }
}

static void watch_stop(void *data) {
    struct instance *instance = data;
    uint64_t one = 1;
    if (write(instance->quit, &one, sizeof one) == sizeof one)
        pthread_join(instance->thread, NULL);
    close(instance->quit);
    close(instance->epoll);
    instance->epoll = -1;
    while (instance->watches) {
        struct watch *watch = instance->watches;
        instance->watches = watch->next;
        free(watch);
    }
}

static int watch_begin(napi_env env, struct instance *instance) {
    napi_value name;
    int error = 0;
    int epoll = epoll_create1(EPOLL_CLOEXEC), quit = eventfd(0, EFD_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = 0};
    if (epoll < 0 || quit < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, quit, &event) < 0)
        error = errno;
    napi_create_string_utf8(env, "tare", NAPI_AUTO_LENGTH, &name);
    if (!error && napi_create_threadsafe_function(env, NULL, NULL, name, 0, 1, NULL, NULL, instance, watch_ready, &instance->ready) != napi_ok)
        error = ENOMEM;
    if (!error) {
        instance->epoll = epoll;
        instance->quit = quit;
        /* The thread takes no signal: those are the main thread's. */
        sigset_t all, before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        error = pthread_create(&instance->thread, NULL, watch_main, instance);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        if (error)
            napi_release_threadsafe_function(instance->ready, napi_tsfn_abort);
    }
    if (error) {
        close(epoll);
        close(quit);
        instance->epoll = -1;
        return -error;
    }
    napi_unref_threadsafe_function(env, instance->ready);
    napi_add_env_cleanup_hook(env, watch_stop, instance);
    return 0;
}

static int watch_add(napi_env env, struct instance *instance, int fd, napi_value callback, bool write) {
    if (instance->epoll < 0) {
        int error = watch_begin(env, instance);
        if (error < 0)
            return error;
    }
    struct watch *watch = malloc(sizeof *watch);
    if (!watch)
        return -ENOMEM;
    watch->id = ++instance->last_watch;
    struct epoll_event event = {.events = (write ? EPOLLOUT : EPOLLIN) | EPOLLONESHOT, .data.u64 = watch->id};
    if (epoll_ctl(instance->epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
        int error = errno;
        free(watch);
        return -error;
    }
    watch->fd = fd;
    napi_create_reference(env, callback, 1, &watch->callback);
    if (!instance->watches)
        napi_ref_threadsafe_function(env, instance->ready);
    watch->next = instance->watches;
    instance->watches = watch;
    return 0;
}

/* Once for each environment: how it is told of readiness. */
static void watch_prepare(napi_env env, struct instance *instance) {
    napi_value global, name, resource;
    bool bun = true; /* also if it can't be asked: a worker is being terminated */
    instance->prepared = true;
    napi_get_global(env, &global);
    napi_has_named_property(env, global, "Bun", &bun);
    napi_create_string_utf8(env, "tare", NAPI_AUTO_LENGTH, &name);
    napi_create_object(env, &resource);
    napi_async_init(env, resource, name, &instance->context);
    if (!bun && uv_poll_init && napi_get_uv_event_loop(env, (struct uv_loop_s **)&instance->loop) == napi_ok)
        napi_add_env_cleanup_hook(env, polls_stop, instance);
    else
        instance->loop = NULL;
}

/* watch(fd, callback, write): calls back once, when the descriptor is readable (with `write` writable) or its other end
 * is gone. The descriptor must stay open until then. While something is watched, the process stays. */
napi_value binding_watch(napi_env env, napi_callback_info info) {
    size_t argc = 3;
    napi_value argv[3];
    int32_t fd;
    bool write = false;
    napi_valuetype type = napi_undefined;
    napi_get_cb_info(env, info, &argc, argv, NULL, NULL);
    if (argc >= 2)
        napi_typeof(env, argv[1], &type);
    if (type != napi_function || napi_get_value_int32(env, argv[0], &fd) != napi_ok)
        return type_error(env, "watch: takes a descriptor and a function");
    if (argc >= 3)
        napi_get_value_bool(env, argv[2], &write);
    struct instance *instance = instance_of(env);
    if (!instance->prepared)
        watch_prepare(env, instance);
    return number(env, instance->loop ? poll_begin(env, instance, fd, argv[1], write) : watch_add(env, instance, fd, argv[1], write));
}

/* unwatch(fd): whether the descriptor is no longer watched; else its callback will still come. */
napi_value binding_unwatch(napi_env env, napi_callback_info info) {
    size_t argc = 1;
    napi_value argv[1], result;
    int32_t fd;
    bool found = false;
    napi_get_cb_info(env, info, &argc, argv, NULL, NULL);
    if (argc < 1 || napi_get_value_int32(env, argv[0], &fd) != napi_ok)
        return type_error(env, "unwatch: takes a descriptor");
    struct instance *instance = instance_of(env);
    for (struct poll *poll = instance->polls; poll; poll = poll->next) {
        if (poll->fd != fd)
            continue;
        napi_delete_reference(env, poll->callback);
        poll_end(poll);
        found = true;
        break;
    }
    for (struct watch **at = &instance->watches; *at; at = &(*at)->next) {
        if ((*at)->fd != fd)
            continue;
        napi_delete_reference(env, watch_end(env, instance, at));
        found = true;
        break;
    }
    napi_get_boolean(env, found, &result);
    return result;
}
