/* SPDX-License-Identifier: Apache-2.0 */
/* A build without the server's libraries works on this machine only. */
#include "base/cleanup.h"
#include "tools/cli/local.h"

const struct command *const commands[] = {&local_fix, &command_inspect, &local_bench};
const size_t command_count = COUNT_OF(commands);
