/* Runs the fuzzer's function over files, with any compiler: `replay FILE…`. It aborts where the fuzzer would. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length);

int main(int argc, char **argv) {
    static uint8_t bytes[1 << 20];
    for (int i = 1; i < argc; i++) {
        FILE *file = fopen(argv[i], "rb");
        if (!file) {
            perror(argv[i]);
            return 1;
        }
        size_t length = fread(bytes, 1, sizeof bytes, file);
        fclose(file);
        printf("%s\n", argv[i]);
        fflush(stdout); /* the last name is the one that aborted */
        LLVMFuzzerTestOneInput(bytes, length);
    }
    return 0;
}
