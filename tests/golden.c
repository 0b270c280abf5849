/* SPDX-License-Identifier: Apache-2.0 */
/* golden [--merges FILE] DIR…: holds this implementation against tensors computed by the published
 * code (docs of the format: model.md, "Golden cases"). Every case is checked from each checkpoint
 * it has. A tensor that a case lacks isn't checked; one that nobody here knows counts as failed.
 *
 * Exit status: 0 all passed, 1 something failed, 2 wrong usage. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "tests/golden_case.h"

enum { PATH_SIZE = 4096, EXIT_USAGE = 2 };

static void check_case(
    struct golden_tally *tally, const char *folder, const char *model, const char *merges)
{
    struct golden_case golden;
    printf("\n%s/%s: max error, of scale\n", folder, model);
    golden_case_init(&golden, tally, folder, model, merges);
    if (golden.expected && golden.unet) {
        golden_check_tokens(&golden);
        golden_check_schedule(&golden);
        golden_check_text(&golden);
        golden_check_vae(&golden);
        golden_check_unet(&golden);
        golden_check_samplers(&golden);
        golden_check_guidance(&golden);
    }
    golden_check_all_seen(&golden);
    golden_case_finish(&golden);
    fflush(stdout);
}

/* Both checkpoints of a folder. */
static void check_folder(struct golden_tally *tally, const char *folder, const char *merges)
{
    static const char *const models[] = {"model.safetensors", "model.ckpt"};
    int found = 0;
    for (size_t i = 0; i < COUNT_OF(models); i++) {
        char path[PATH_SIZE];
        snprintf(path, sizeof path, "%s/%s", folder, models[i]);
        if (access(path, F_OK) != 0)
            continue;
        check_case(tally, folder, models[i], merges);
        found++;
    }
    if (!found) {
        printf("\n%s: neither model.safetensors nor model.ckpt  FAILED\n", folder);
        tally->failed++;
    }
}

static int usage(void)
{
    fputs("usage: golden [--merges FILE] DIR...\n", stderr);
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    struct golden_tally tally = {0, 0};
    const char *merges = NULL;
    int first = 1;
    if (argc > 2 && strcmp(argv[1], "--merges") == 0) {
        merges = argv[2];
        first = 3;
    }
    if (first >= argc || argv[first][0] == '-')
        return usage();
    tensor_grad_enable(0);
    for (int i = first; i < argc; i++)
        check_folder(&tally, argv[i], merges);
    printf("\n%d passed, %d failed\n", tally.passed, tally.failed);
    return tally.failed > 0;
}
