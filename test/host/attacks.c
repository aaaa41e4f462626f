/* What a hostile program in a container tries, one attempt for each first argument. It says "done" if it worked, else
 * the number of the error; tests say which. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <linux/sched.h>
#include <mqueue.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

static int say(long result) {
    if (result < 0)
        printf("%d\n", errno);
    else
        printf("done\n");
    fflush(stdout);
    return 0;
}

/* The way out of a chroot(2): a directory that is held open outside of a second root, and up from there. */
static int escape(const char *file) {
    mkdir("/tmp/second", 0755);
    int here = open("/", O_RDONLY | O_DIRECTORY);
    if (here < 0 || chroot("/tmp/second") < 0 || fchdir(here) < 0)
        return say(-1);
    for (int i = 0; i < 100; i++)
        if (chdir("..") < 0)
            return say(-1);
    if (chroot(".") < 0)
        return say(-1);
    return say(open(file, O_RDONLY));
}

/* Connects to an abstract socket, which no file system knows, but the network namespace. Its name is all of its bytes,
 * and some programs (older Nodes) fill them up with zeros. */
static int connect_abstract(const char *name) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(name);
    memcpy(address.sun_path + 1, name, length);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return say(0);
    return say(connect(fd, (struct sockaddr *)&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length)));
}

static int make_device(const char *path, const char *kind, const char *major_text, const char *minor_text) {
    mode_t mode = (*kind == 'b' ? S_IFBLK : S_IFCHR) | 0666;
    if (mknod(path, mode, makedev((unsigned)atoi(major_text), (unsigned)atoi(minor_text))) < 0)
        return say(-1);
    return say(open(path, O_RDONLY));
}

static int overwrite(const char *path) {
    int fd = open(path, O_WRONLY);
    return say(fd < 0 ? -1 : write(fd, "#!/bin/sh\n", 10));
}

/* Outlives whoever doesn't kill it for good: asks for no signal at the parent's end, and goes into sessions of its own. */
__attribute__((noreturn)) static void stay(void) {
    prctl(PR_SET_PDEATHSIG, 0);
    for (int i = 1; i < 64; i++)
        signal(i, SIG_IGN);
    for (int i = 0; i < 3; i++)
        if (fork() == 0) {
            setsid();
            prctl(PR_SET_PDEATHSIG, 0);
        }
    say(0);
    close(0);
    close(1);
    close(2);
    for (;;)
        pause();
}

/* Exchanges two names for ever. */
static int swap(const char *one, const char *two) {
    say(0);
    for (;;)
        if (renameat2(AT_FDCWD, one, AT_FDCWD, two, RENAME_EXCHANGE) < 0)
            return 1;
}

static int clone3_user(void) {
    struct clone_args args = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
    long pid = syscall(SYS_clone3, &args, sizeof args);
    if (pid == 0)
        _exit(0);
    return say(pid);
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "";
    const char *first = argc > 2 ? argv[2] : "", *second = argc > 3 ? argv[3] : "";
#define IS(name) (strcmp(what, name) == 0)
    if (IS("escape"))
        return escape(first);
    if (IS("connect"))
        return connect_abstract(first);
    if (IS("device") && argc == 6)
        return make_device(first, second, argv[4], argv[5]);
    if (IS("overwrite"))
        return overwrite(first);
    if (IS("stay"))
        stay();
    if (IS("swap"))
        return swap(first, second);
    if (IS("ptrace"))
        return say(ptrace(PTRACE_ATTACH, atoi(first), 0, 0));
    if (IS("kill"))
        return say(kill(atoi(first), atoi(second)));
    if (IS("open"))
        return say(open(first, O_RDONLY));
    if (IS("write"))
        /* As a shell does it: then the kernel looks at the mount first, and only then at the file. */
        return say(open(first, O_WRONLY | O_TRUNC));
    if (IS("readlink")) {
        char target[4096];
        return say(readlink(first, target, sizeof target));
    }
    if (IS("type"))
        return say(ioctl(atoi(first), TIOCSTI, "x"));
    if (IS("unshare"))
        return say(unshare((int)strtol(first, NULL, 0)));
    if (IS("clone"))
        return say(syscall(SYS_clone, strtol(first, NULL, 0) | SIGCHLD, 0, 0, 0, 0));
    if (IS("clone3"))
        return clone3_user();
    if (IS("socket"))
        return say(socket(atoi(first), atoi(second), 0));
    if (IS("shm"))
        return say(shmget((key_t)strtol(first, NULL, 0), 4096, *second ? IPC_CREAT | 0666 : 0));
    if (IS("shm-remove"))
        return say(shmctl(shmget((key_t)strtol(first, NULL, 0), 0, 0), IPC_RMID, NULL));
    if (IS("msg"))
        return say(msgget((key_t)strtol(first, NULL, 0), *second ? IPC_CREAT | 0666 : 0));
    if (IS("msg-remove"))
        return say(msgctl(msgget((key_t)strtol(first, NULL, 0), 0), IPC_RMID, NULL));
    if (IS("mq"))
        return say(mq_open(first, *second ? O_RDWR | O_CREAT : O_RDWR, 0666, NULL));
    if (IS("mq-remove"))
        return say(mq_unlink(first));
    if (IS("keyctl"))
        return say(syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0));
    /* With arguments that would make a call that isn't filtered fail otherwise than with EPERM. */
    if (IS("syscall"))
        return say(syscall(atol(first), -1L, -1L, -1L, -1L, -1L, -1L));
    return 2;
}
