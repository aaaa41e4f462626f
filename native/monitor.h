/* The small parent that stays with a container in the background: OP_MONITOR of the walk.
 *
 * It is the parent of the container, which so ends with it, and the only one that reads the container's console: what
 * comes there goes to a log of bounded size, and to whoever is attached; what they send goes to the console. It has no
 * policy, opens nothing, and names no file: all descriptors are given. It ends when the container has. */
#ifndef TARE_MONITOR_H
#define TARE_MONITOR_H

#include "plan.h"
#include "syscall.h"

#include <asm/unistd.h>

#define E_AGAIN 11
#define POLL_IN_ 1
#define POLL_OUT_ 4
#define POLL_ERR_HUP 0x18
#define MSG_DONTWAIT_ 0x40
#define MSG_NOSIGNAL_ 0x4000
#define SOCK_CLOEXEC_NONBLOCK 02004000
#define TIOCSWINSZ_ 0x5414

#define MONITOR_CLIENTS 8
#define MONITOR_CHUNK PLAN_MIN_LOG /* so that it never goes around the log more than once */
/* How often at most the console is read once the container has ended: nobody in it writes there any more. */
#define MONITOR_LAST_READS 256

enum { MONITOR_ENDED, MONITOR_CONSOLE, MONITOR_LISTENER, MONITOR_NOTIFY, MONITOR_FIRST_CLIENT };
#define MONITOR_POLLED (MONITOR_FIRST_CLIENT + MONITOR_CLIENTS)

struct monitor_poll {
    int32_t fd; /* -1: none */
    int16_t events, revents;
};

static struct monitor {
    struct monitor_poll polled[MONITOR_POLLED];
    struct monitor_log head;
    int32_t log;
    uint32_t input_at, input_end; /* what of `input` the console has not taken yet */
    uint64_t capacity;
    uint8_t chunk[MONITOR_CHUNK];
    uint8_t input[MONITOR_CHUNK];
} monitor_state;

static void monitor_drop(struct monitor_poll *client) {
    syscall6(__NR_close, client->fd, 0, 0, 0, 0, 0);
    client->fd = -1;
}

static void monitor_note(struct monitor *m) {
    syscall6(__NR_pwrite64, m->log, (long)&m->head, sizeof m->head, 0, 0, 0);
}

/* To the log, which begins anew behind its end, and to all who are attached. One who doesn't read is let go rather than
 * waited for: else whatever writes to the console would wait too. */
static void monitor_output(struct monitor *m, uint32_t count) {
    uint64_t at = m->head.written % m->capacity, first = m->capacity - at;
    if (first > count)
        first = count;
    syscall6(__NR_pwrite64, m->log, (long)m->chunk, (long)first, (long)(MONITOR_LOG_DATA + at), 0, 0);
    if (first < count)
        syscall6(__NR_pwrite64, m->log, (long)(m->chunk + first), (long)(count - first), MONITOR_LOG_DATA, 0, 0);
    m->head.written += count;
    monitor_note(m);
    for (struct monitor_poll *client = m->polled + MONITOR_FIRST_CLIENT; client < m->polled + MONITOR_POLLED; client++)
        if (client->fd >= 0 &&
            syscall6(__NR_sendto, client->fd, (long)m->chunk, count, MSG_DONTWAIT_ | MSG_NOSIGNAL_, 0, 0) < 0)
            monitor_drop(client);
}

/* Whether there was something to read. */
static int monitor_console(struct monitor *m) {
    struct monitor_poll *console = &m->polled[MONITOR_CONSOLE];
    long count = syscall6(__NR_read, console->fd, (long)m->chunk, MONITOR_CHUNK, 0, 0, 0);
    if (count > 0 && count <= MONITOR_CHUNK)
        monitor_output(m, (uint32_t)count);
    else if (count != -E_AGAIN) { /* it was hung up */
        console->fd = -1;
        m->input_at = m->input_end;
    }
    return count > 0;
}

static void monitor_flush(struct monitor *m) {
    long done = syscall6(__NR_write, m->polled[MONITOR_CONSOLE].fd, (long)(m->input + m->input_at),
                         m->input_end - m->input_at, 0, 0, 0);
    if (done == -E_AGAIN)
        return;
    /* What fails otherwise is lost, as on a terminal that was hung up. */
    m->input_at = done > 0 && done < m->input_end - m->input_at ? m->input_at + (uint32_t)done : m->input_end;
}

static void monitor_accept(struct monitor *m) {
    long fd = syscall6(__NR_accept4, m->polled[MONITOR_LISTENER].fd, 0, 0, SOCK_CLOEXEC_NONBLOCK, 0, 0);
    if (fd < 0) {
        if (fd != -E_AGAIN) /* else it would be said to be ready for ever */
            m->polled[MONITOR_LISTENER].fd = -1;
        return;
    }
    for (struct monitor_poll *client = m->polled + MONITOR_FIRST_CLIENT; client < m->polled + MONITOR_POLLED; client++)
        if (client->fd < 0) {
            client->fd = (int32_t)fd;
            return;
        }
    syscall6(__NR_close, fd, 0, 0, 0, 0, 0);
}

/* A message of one who is attached: what was typed, or the size of the window. */
static void monitor_client(struct monitor *m, struct monitor_poll *client) {
    if (m->input_at < m->input_end) { /* the console takes no more: whoever has more waits, or goes */
        if (client->revents & POLL_ERR_HUP)
            monitor_drop(client);
        return;
    }
    long count = syscall6(__NR_recvfrom, client->fd, (long)m->input, MONITOR_CHUNK, MSG_DONTWAIT_, 0, 0);
    if (count == -E_AGAIN)
        return;
    if (count <= 0 || count > MONITOR_CHUNK) {
        monitor_drop(client);
        return;
    }
    if (m->input[0] == MONITOR_TYPED && count > 1) {
        m->input_at = 1;
        m->input_end = (uint32_t)count;
        monitor_flush(m);
    } else if (m->input[0] == MONITOR_SIZE && count == 9) {
        syscall6(__NR_ioctl, m->polled[MONITOR_CONSOLE].fd, TIOCSWINSZ_, (long)(m->input + 1), 0, 0, 0);
    }
}

static int monitor_says(const uint8_t *line, const uint8_t *end, const char *word) {
    while (line < end && *word && *line == (uint8_t)*word) {
        line++;
        word++;
    }
    return !*word && (line == end || *line == '\n');
}

/* What an init says of itself (sd_notify(3)): lines, of which two matter. */
static void monitor_notify(struct monitor *m) {
    long count = syscall6(__NR_recvfrom, m->polled[MONITOR_NOTIFY].fd, (long)m->chunk, MONITOR_CHUNK, MSG_DONTWAIT_, 0, 0);
    if (count <= 0 || count > MONITOR_CHUNK) {
        if (count < 0 && count != -E_AGAIN)
            m->polled[MONITOR_NOTIFY].fd = -1;
        return;
    }
    const uint8_t *end = m->chunk + count;
    for (const uint8_t *line = m->chunk; line < end; line++) {
        if (line != m->chunk && line[-1] != '\n')
            continue;
        if (monitor_says(line, end, "READY=1") && m->head.state < MONITOR_READY)
            m->head.state = MONITOR_READY;
        if (monitor_says(line, end, "STOPPING=1"))
            m->head.state = MONITOR_STOPPING;
    }
    monitor_note(m);
}

/* Returns 0 when the process of `pidfd` has ended, or what ppoll failed with. All signals are blocked. */
static long monitor(long pidfd, long console, long listener, long log, long notify, uint64_t capacity) {
    struct monitor *m = &monitor_state;
    const long fixed[] = {pidfd, console, listener, notify};
    for (int i = 0; i < MONITOR_POLLED; i++) {
        m->polled[i].fd = i < MONITOR_FIRST_CLIENT ? (int32_t)fixed[i] : -1;
        m->polled[i].events = POLL_IN_;
    }
    m->log = (int32_t)log;
    m->capacity = capacity;
    m->input_at = m->input_end = 0;
    m->head.written = m->head.state = 0;
    syscall6(__NR_pread64, log, (long)&m->head, sizeof m->head, 0, 0, 0);
    for (;;) {
        int waits = m->input_at < m->input_end && m->polled[MONITOR_CONSOLE].fd >= 0;
        m->polled[MONITOR_CONSOLE].events = POLL_IN_ | (waits ? POLL_OUT_ : 0);
        for (int i = MONITOR_FIRST_CLIENT; i < MONITOR_POLLED; i++)
            m->polled[i].events = waits ? 0 : POLL_IN_;
        long ready = syscall6(__NR_ppoll, (long)m->polled, MONITOR_POLLED, 0, 0, 8, 0);
        if (ready < 0)
            return ready;
        if (m->polled[MONITOR_ENDED].revents) {
            for (int reads = 0; reads < MONITOR_LAST_READS && monitor_console(m); reads++)
                ;
            return 0;
        }
        if (waits && m->polled[MONITOR_CONSOLE].revents & POLL_OUT_)
            monitor_flush(m);
        if (m->polled[MONITOR_CONSOLE].revents & ~POLL_OUT_)
            monitor_console(m);
        if (m->polled[MONITOR_NOTIFY].revents)
            monitor_notify(m);
        for (int i = MONITOR_FIRST_CLIENT; i < MONITOR_POLLED; i++)
            if (m->polled[i].fd >= 0 && m->polled[i].revents)
                monitor_client(m, &m->polled[i]);
        /* Last: one who has just come has no events yet. */
        if (m->polled[MONITOR_LISTENER].revents)
            monitor_accept(m);
    }
}

#endif
