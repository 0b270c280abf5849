/* SPDX-License-Identifier: Apache-2.0 */
/* promptfix-train: finds the command. */
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "tools/train/commands.h"

static const struct command *const train_commands[] = {
    &command_merges, &command_run, &command_normalize, &command_export};

static void print_usage(FILE *to)
{
    fputs("promptfix-train: trains models (docs/model.md)\n\n", to);
    for (size_t i = 0; i < COUNT_OF(train_commands); i++)
        fprintf(to, "  promptfix-train %-10s %s\n", train_commands[i]->name,
            train_commands[i]->summary);
    fputs("\n'promptfix-train COMMAND --help' tells all about one.\n", to);
}

/* Every step asks for the same large activations: kept, not handed back to the system and mapped
 * afresh page by page. */
static void keep_memory(void)
{
    enum { LARGEST = 1 << 30 };
    mallopt(M_MMAP_THRESHOLD, LARGEST);
    mallopt(M_TRIM_THRESHOLD, LARGEST);
    mallopt(M_TOP_PAD, 1 << 26);
}

int main(int argc, char **argv)
{
    keep_memory();
    command_program = "promptfix-train";
    const char *name = argc > 1 ? argv[1] : "";
    for (size_t i = 0; i < COUNT_OF(train_commands); i++)
        if (strcmp(train_commands[i]->name, name) == 0)
            return train_commands[i]->run(argc - 1, argv + 1);
    int asked = strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0;
    print_usage(asked ? stdout : stderr);
    return asked ? EXIT_CODE_OK : EXIT_CODE_USAGE;
}
