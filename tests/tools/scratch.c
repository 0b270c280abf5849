/* SPDX-License-Identifier: Apache-2.0 */
#define _XOPEN_SOURCE 700 /* nftw() */
#include "tests/tools/scratch.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

enum { PATH_SIZE = 512, PATHS = 4, DESCRIPTORS = 16 };

char scratch_folder[PATH_SIZE];

int scratch_set_up(void **state)
{
    (void)state;
    const char *base = getenv("TMPDIR");
    snprintf(scratch_folder, PATH_SIZE, "%s/promptfix-test-XXXXXX", base ? base : "/tmp");
    return mkdtemp(scratch_folder) ? 0 : -1;
}

static int remove_entry(const char *path, const struct stat *stat, int type, struct FTW *place)
{
    (void)stat, (void)type, (void)place;
    return remove(path);
}

int scratch_tear_down(void **state)
{
    (void)state;
    return nftw(scratch_folder, remove_entry, DESCRIPTORS, FTW_DEPTH | FTW_PHYS);
}

const char *scratch_path(const char *name)
{
    static char paths[PATHS][PATH_SIZE + 128];
    static int next;
    char *path = paths[next++ % PATHS];
    snprintf(path, sizeof paths[0], "%s/%s", scratch_folder, name);
    return path;
}
