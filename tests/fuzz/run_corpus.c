/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzz target over every file of a corpus folder, and over every prefix and a few bit flips of
 * each, so that a plain test run already walks the error paths. Fails when the folder is empty. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INPUT_MAX = 1 << 20, VARIANTS_MAX = 300 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Copies into an exact allocation, so that ASan sees a read one byte too far. */
static void run_exact(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy)
        abort();
    memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static int run_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return -1;
    static uint8_t data[INPUT_MAX];
    size_t size = fread(data, 1, sizeof data, file);
    fclose(file);
    run_exact(data, size);
    size_t stride = size / VARIANTS_MAX + 1;
    for (size_t cut = 0; cut < size; cut += stride)
        run_exact(data, cut);
    for (size_t at = 0; at < size; at += stride) {
        uint8_t kept = data[at];
        data[at] ^= (uint8_t)(1u << (at % 8));
        run_exact(data, size);
        data[at] = kept;
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return fprintf(stderr, "usage: %s CORPUS_DIR\n", argv[0]), 2;
    DIR *dir = opendir(argv[1]);
    if (!dir)
        return perror(argv[1]), 1;
    int count = 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char path[4096];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", argv[1], entry->d_name);
        if (run_file(path) != 0)
            return perror(path), 1;
        count++;
    }
    closedir(dir);
    printf("%s: %d inputs\n", argv[1], count);
    return count > 0 ? 0 : 1;
}
