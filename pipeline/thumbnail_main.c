/* SPDX-License-Identifier: Apache-2.0 */
/* promptfix-thumbnail SIDE MAX_PIXELS < image > jpeg
 *
 * Scales a picture for the vision-language model, in a process of its own: promptfixd decodes no
 * foreign pixels itself, so a file that brings a decoder down, or keeps it busy for ever, costs no
 * more than this. Exit status 1: the picture can't be read, and standard output says why. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "pipeline/image/thumbnail.h"

enum { EXIT_USAGE = 2, CPU_SECONDS_MAX = 30, FILE_BYTES_MAX = 1 << 30 };

static long number(const char *text, long max)
{
    char *end;
    long value = strtol(text, &end, 10);
    return *text && !*end && value >= 1 && value <= max ? value : 0;
}

static enum pf_status read_input(struct buffer *ret, struct pf_error *err)
{
    struct stat info;
    if (fstat(STDIN_FILENO, &info) != 0 || !S_ISREG(info.st_mode) || info.st_size < 1 ||
        info.st_size > FILE_BYTES_MAX)
        return pf_fail(
            err, PF_INVALID, "standard input is not a file of 1 to %d bytes", FILE_BYTES_MAX);
    int is_end = 0;
    char *bytes = buffer_reserve(ret, (size_t)info.st_size);
    PF_TRY(buffer_status(ret, err));
    PF_TRY(file_read_full(STDIN_FILENO, bytes, (size_t)info.st_size, &is_end, err));
    ret->size = is_end ? 0 : (size_t)info.st_size;
    return PF_OK;
}

static enum pf_status make(long side, long max_pixels, struct buffer *ret, struct pf_error *err)
{
    AUTO_BUFFER struct buffer input = BUFFER_INIT;
    struct image_limits limits = IMAGE_LIMITS_DEFAULT;
    limits.max_pixels = max_pixels;
    PF_TRY(read_input(&input, err));
    PF_TRY(image_library_init("promptfix-thumbnail", 1, err));
    /* From here on it opens no file and no socket, whatever the picture makes of it. */
    setrlimit(RLIMIT_NOFILE, &(struct rlimit){0, 0});
    return image_thumbnail(input.data, input.size, &limits, (int)side, ret, err);
}

/* LeakSanitizer's hook: at the end it looks through /proc, which this program has closed to itself.
 * Means nothing in other builds. */
int __lsan_is_turned_off(void);
__attribute__((visibility("default"))) int __lsan_is_turned_off(void)
{
    return 1;
}

int main(int argc, char **argv)
{
    long side = argc == 3 ? number(argv[1], 65500) : 0;
    long max_pixels = argc == 3 ? number(argv[2], 1000000000) : 0;
    if (!side || !max_pixels) {
        fputs("usage: promptfix-thumbnail SIDE MAX_PIXELS < image > jpeg\n", stderr);
        return EXIT_USAGE;
    }
    setrlimit(RLIMIT_CPU, &(struct rlimit){CPU_SECONDS_MAX, CPU_SECONDS_MAX});
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    struct pf_error err = PF_ERROR_INIT;
    AUTO_BUFFER struct buffer jpeg = BUFFER_INIT;
    if (make(side, max_pixels, &jpeg, &err) == PF_OK &&
        file_write_full(STDOUT_FILENO, jpeg.data, jpeg.size, &err) == PF_OK)
        return 0;
    fputs(err.message, stdout);
    return 1;
}
