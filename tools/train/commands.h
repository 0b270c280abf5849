/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_TRAIN_COMMANDS_H
#define TOOLS_TRAIN_COMMANDS_H

/* The commands of promptfix-train, and what they share. */

#include "tools/cli/command.h"

extern const struct command command_run, command_export, command_normalize, command_merges;

struct train_command_line {
    const struct command *command;
    const struct option_spec *rows;
    size_t row_count;
    void *values;        /* zeroed; the caller calls options_finish() in every case */
    const int64_t *help; /* of values */
    const char *synopsis;
};

/* Reads the command line; 1 to go on, 0 when help was printed or something is wrong (*ret_code). */
int train_command_parse(
    const struct train_command_line *line, int argc, char **argv, int *ret_code);

#endif
