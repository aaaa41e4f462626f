/*
 * A process with file systems that answer nobody: one of FUSE whose server is stopped, and an overlay of it at /dev. It
 * holds a directory of the first open and works in it. It calls itself a thread of the kernel without capabilities, and
 * has a mount whose name has a carriage return in it. stuck DIRECTORY: says "ready" and waits to be killed; the server
 * goes with it. Needs root and /dev/fuse; has a mount namespace of its own.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void need(int ok, const char *what) {
  if (ok) return;
  perror(what);
  exit(1);
}

static void answer(int fuse, unsigned long long unique, int error, const void *data, size_t size) {
  char bytes[512] = {0};
  struct fuse_out_header header = {.len = sizeof header + size, .error = error, .unique = unique};
  memcpy(bytes, &header, sizeof header);
  if (size > 0) memcpy(bytes + sizeof header, data, size);
  (void)!write(fuse, bytes, header.len);
}

/* A file system of one empty directory. */
static void serve(int fuse) {
  static char bytes[1 << 17];
  const struct fuse_attr directory = {.ino = 1, .mode = S_IFDIR | 0755, .nlink = 2};
  for (;;) {
    if (read(fuse, bytes, sizeof bytes) < 0) {
      if (errno == EINTR || errno == EAGAIN || errno == ENOENT) continue;
      exit(0);
    }
    const struct fuse_in_header *in = (void *)bytes;
    if (in->opcode == FUSE_INIT) {
      const struct fuse_init_out out = {.major = 7, .minor = 31, .max_write = 4096, .time_gran = 1};
      answer(fuse, in->unique, 0, &out, sizeof out);
    } else if (in->opcode == FUSE_GETATTR) {
      const struct fuse_attr_out out = {.attr = directory};
      answer(fuse, in->unique, 0, &out, sizeof out);
    } else if (in->opcode == FUSE_OPENDIR) {
      const struct fuse_open_out out = {.fh = 1};
      answer(fuse, in->unique, 0, &out, sizeof out);
    } else if (in->opcode == FUSE_STATFS) {
      const struct fuse_statfs_out out = {.st = {.bsize = 4096, .namelen = 255}};
      answer(fuse, in->unique, 0, &out, sizeof out);
    } else if (in->opcode == FUSE_READDIR || in->opcode == FUSE_RELEASEDIR || in->opcode == FUSE_FLUSH) {
      answer(fuse, in->unique, 0, NULL, 0);
    } else if (in->opcode != FUSE_FORGET && in->opcode != FUSE_BATCH_FORGET && in->opcode != FUSE_INTERRUPT) {
      answer(fuse, in->unique, in->opcode == FUSE_LOOKUP ? -ENOENT : -ENOSYS, NULL, 0);
    }
  }
}

int main(int count, char **words) {
  char served[4096], options[16384];
  need(count == 2 && strlen(words[1]) < 3000, "usage: stuck DIRECTORY");
  need(unshare(CLONE_NEWNS) == 0, "unshare");
  need(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0, "private");
  snprintf(served, sizeof served, "%s/served", words[1]);
  need(mkdir(served, 0755) == 0, "mkdir");
  const int fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
  need(fuse >= 0, "/dev/fuse");
  snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", fuse);
  need(mount("stuck", served, "fuse", 0, options) == 0, "fuse");
  const pid_t server = fork();
  need(server >= 0, "fork");
  if (server == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    serve(fuse);
  }
  close(fuse);
  /* An overlay without a layer to write to has two below. */
  char other[4096];
  snprintf(other, sizeof other, "%s/other", words[1]);
  need(mkdir(other, 0755) == 0, "mkdir");
  snprintf(options, sizeof options, "lowerdir=%s:%s", served, other);
  need(mount("stuck", "/dev", "overlay", 0, options) == 0, "overlay");
  need(open(served, O_RDONLY | O_DIRECTORY) >= 0, "open");
  need(chdir(served) == 0, "chdir");
  need(kill(server, SIGSTOP) == 0 && waitpid(server, NULL, WUNTRACED) == server, "stop");
  snprintf(other, sizeof other, "%s/a\rb", words[1]);
  need(mkdir(other, 0755) == 0 && mount("a\rb", other, "tmpfs", 0, NULL) == 0, "tmpfs");
  need(prctl(PR_SET_NAME, "\rKthread:\t1") == 0, "name");
  puts("ready");
  fflush(stdout);
  for (;;) pause();
}
