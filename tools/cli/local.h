/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_CLI_LOCAL_H
#define TOOLS_CLI_LOCAL_H

/* The commands that run the model on this machine; they are another program (local_main.c). */

#include "tools/cli/command.h"

#define LOCAL_PROGRAM "promptfix-local"

/* Each becomes that program, with the same command and arguments. */
extern const struct command local_fix, local_bench;

#endif
