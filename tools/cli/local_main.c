/* SPDX-License-Identifier: Apache-2.0 */
/* promptfix-local: the commands of promptfix that link libtorch; see local.c. */
#include <string.h>

#include "base/cleanup.h"
#include "tools/cli/command.h"

int main(int argc, char **argv)
{
    static const struct command *const local[] = {&command_fix, &command_bench};
    struct pf_error err = PF_ERROR_INIT;
    for (size_t i = 0; argc > 1 && i < COUNT_OF(local); i++)
        if (strcmp(local[i]->name, argv[1]) == 0)
            return local[i]->run(argc - 1, argv + 1);
    pf_fail(&err, PF_INVALID, "this program runs 'fix' and 'bench' for promptfix");
    return command_fail("", PHASE_USAGE, &err);
}
