/* SPDX-License-Identifier: Apache-2.0 */
/* A build without the server's libraries works on this machine only. */
#include "base/cleanup.h"
#include "tools/cli/command.h"

const struct command *const commands[] = {&command_fix, &command_inspect, &command_bench};
const size_t command_count = COUNT_OF(commands);
