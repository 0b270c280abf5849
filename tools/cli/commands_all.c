/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "tools/cli/command.h"

const struct command *const commands[] = {
    &command_fix, &command_submit, &command_jobs, &command_inspect, &command_bench};
const size_t command_count = COUNT_OF(commands);
