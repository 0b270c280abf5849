/* SPDX-License-Identifier: Apache-2.0 */
/* Loading libtorch takes half a second, which nobody wants to wait for --help or a list of jobs. So
 * the commands that compute are a program of their own, and promptfix becomes it when asked for
 * one. */
#include "tools/cli/local.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/program.h"

/* Returns only when it can't. */
static int run_local(int argc, char **argv)
{
    struct pf_error err = PF_ERROR_INIT;
    char path[PATH_MAX];
    AUTO_FREE char **args = calloc((size_t)argc + 2, sizeof *args);
    if (!args) {
        pf_fail(&err, PF_NOMEM, "no memory for arguments");
    } else if (program_find(LOCAL_PROGRAM, path, &err) == PF_OK) {
        args[0] = path;
        memcpy(args + 1, argv, (size_t)argc * sizeof *argv);
        execv(path, args);
        pf_fail_errno(&err, errno, "%s", path);
    }
    return command_fail(argv[0], PHASE_RUN, &err);
}

const struct command local_fix = {"fix", COMMAND_FIX_SUMMARY, run_local};
const struct command local_bench = {"bench", COMMAND_BENCH_SUMMARY, run_local};
