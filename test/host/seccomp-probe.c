/* Loads a filter and tries it.
 *
 *     seccomp-probe FILTER FLAGS < calls       each line `ABI NR ARG…`; writes a line with the raw result of each
 *     seccomp-probe FILTER FLAGS COMMAND…      executes the command under the filter
 *
 * FILTER is a file of struct sock_filter, or - for none. ABI is 64 for this machine's own calls, 32 for int 0x80 on
 * x86-64. no_new_privs is set, so that it needs no privilege. */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CALLS 65536

struct call {
    int abi;
    long nr, arg[6];
};

static struct call calls[CALLS];
static struct sock_filter filter[65536];
static char output[CALLS * 24];

#ifdef __x86_64__
static long call64(const struct call *c) {
    register long r10 __asm__("r10") = c->arg[3];
    register long r8 __asm__("r8") = c->arg[4];
    register long r9 __asm__("r9") = c->arg[5];
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(c->nr), "D"(c->arg[0]), "S"(c->arg[1]), "d"(c->arg[2]), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

static long call32(const struct call *c) {
    long result;
    __asm__ volatile("push %%rbp\n\tmov %7, %%rbp\n\tint $0x80\n\tpop %%rbp"
                     : "=a"(result)
                     : "a"(c->nr), "b"(c->arg[0]), "c"(c->arg[1]), "d"(c->arg[2]), "S"(c->arg[3]), "D"(c->arg[4]),
                       "r"(c->arg[5])
                     : "r8", "r9", "r10", "r11", "memory");
    return (int)result;
}
#else
static long call64(const struct call *c) {
    register long x8 __asm__("x8") = c->nr;
    register long x0 __asm__("x0") = c->arg[0];
    register long x1 __asm__("x1") = c->arg[1];
    register long x2 __asm__("x2") = c->arg[2];
    register long x3 __asm__("x3") = c->arg[3];
    register long x4 __asm__("x4") = c->arg[4];
    register long x5 __asm__("x5") = c->arg[5];
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
    return x0;
}

static long call32(const struct call *c) {
    (void)c;
    return -ENOSYS;
}
#endif

static int die(const char *what) {
    perror(what);
    return 1;
}

int main(int argc, char **argv) {
    if (argc < 3)
        return 2;
    int count = 0;
    if (argc == 3) {
        char line[512];
        while (count < CALLS && fgets(line, sizeof line, stdin)) {
            struct call *c = &calls[count++];
            char *at = line;
            c->abi = (int)strtol(at, &at, 10);
            c->nr = (long)strtoull(at, &at, 0);
            for (int i = 0; i < 6; i++)
                c->arg[i] = (long)strtoull(at, &at, 0);
        }
    }
    if (strcmp(argv[1], "-")) {
        int fd = open(argv[1], O_RDONLY | O_CLOEXEC);
        ssize_t size = fd < 0 ? -1 : read(fd, filter, sizeof filter);
        if (size < 0)
            return die(argv[1]);
        close(fd);
        struct sock_fprog program = {.len = (unsigned short)((size_t)size / sizeof filter[0]), .filter = filter};
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
            return die("no_new_privs");
        long loaded = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, strtoul(argv[2], NULL, 0), &program);
        if (loaded < 0)
            return die("seccomp");
        if (argc == 3 && count == 0)
            return printf("loaded %s\n", loaded > 0 ? "with a listener" : "") < 0;
    }
    if (argc > 3) {
        execvp(argv[3], argv + 3);
        return die(argv[3]);
    }
    size_t length = 0;
    for (int i = 0; i < count; i++)
        length += (size_t)sprintf(output + length, "%ld\n", (calls[i].abi == 32 ? call32 : call64)(&calls[i]));
    for (size_t done = 0; done < length;) {
        ssize_t written = write(1, output + done, length - done);
        if (written < 0)
            return 1;
        done += (size_t)written;
    }
    _exit(0);
}
