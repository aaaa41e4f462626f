/* Builds a filter with libseccomp, to compare Tare's with. Reads words from standard input:
 *
 *     optimize LEVEL  arch NAME …  rule ACTION NAME COUNT (INDEX OP VALUE VALUE2)…  end
 *
 * after the default action, and writes the BPF to standard output. Numbers are decimal, actions the values that a
 * filter returns, operators libseccomp's own. With the argument "resolve" it reads `NAME …` instead and writes of each
 * a line: whether libseccomp can tell it from all others, and its numbers on the architectures that further arguments
 * name. Exit status: 0, or 3 when libseccomp refuses a rule, or 1. */
#include <errno.h>
#include <inttypes.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int die(const char *what, int error) {
    fprintf(stderr, "%s: %s\n", what, strerror(error < 0 ? -error : error));
    return 1;
}

static int resolve(int count, char **architectures) {
    char name[64];
    while (scanf("%63s", name) == 1) {
        /* Names without a number here have a made-up one, and some share it: such a rule goes astray. */
        char *back = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, seccomp_syscall_resolve_name(name));
        printf("%s %d", name, back && !strcmp(back, name));
        free(back);
        for (int i = 0; i < count; i++)
            printf(" %d", seccomp_syscall_resolve_name_arch(seccomp_arch_resolve_name(architectures[i]), name));
        printf("\n");
    }
    return 0;
}

int main(int argc, char **argv) {
    if (argc > 2 && !strcmp(argv[1], "resolve"))
        return resolve(argc - 2, argv + 2);
    uint32_t action;
    char word[64];
    if (scanf("%" SCNu32, &action) != 1)
        return die("no default action", EINVAL);
    scmp_filter_ctx filter = seccomp_init(action);
    if (!filter)
        return die("seccomp_init", EINVAL);
    int rc = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (rc)
        return die("bad arch", rc);
    while (scanf("%63s", word) == 1 && strcmp(word, "end")) {
        if (!strcmp(word, "optimize")) {
            uint32_t level;
            if (scanf("%" SCNu32, &level) != 1 || seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, level))
                return die("optimize", EINVAL);
        } else if (!strcmp(word, "arch")) {
            if (scanf("%63s", word) != 1)
                return die("arch", EINVAL);
            rc = seccomp_arch_add(filter, seccomp_arch_resolve_name(word));
            if (rc && rc != -EEXIST)
                return die(word, rc);
        } else if (!strcmp(word, "rule")) {
            unsigned count;
            struct scmp_arg_cmp args[6];
            if (scanf("%" SCNu32 " %63s %u", &action, word, &count) != 3 || count > 6)
                return die("rule", EINVAL);
            for (unsigned i = 0; i < count; i++) {
                unsigned op;
                if (scanf("%u %u %" SCNu64 " %" SCNu64, &args[i].arg, &op, &args[i].datum_a, &args[i].datum_b) != 4)
                    return die("argument", EINVAL);
                args[i].op = (enum scmp_compare)op;
            }
            int nr = seccomp_syscall_resolve_name(word);
            if (nr == __NR_SCMP_ERROR)
                return die(word, ENOENT);
            rc = seccomp_rule_add_array(filter, action, nr, count, args);
            if (rc) {
                die(word, rc);
                return 3;
            }
        } else
            return die(word, EINVAL);
    }
    rc = seccomp_export_bpf(filter, 1);
    return rc ? die("seccomp_export_bpf", rc) : 0;
}
