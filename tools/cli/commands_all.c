/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "tools/cli/local.h"

const struct command *const commands[] = {
    &local_fix, &command_submit, &command_jobs, &command_inspect, &local_bench};
const size_t command_count = COUNT_OF(commands);
