/* SPDX-License-Identifier: Apache-2.0 */
#include "base/program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

enum { NAME_MAX_SIZE = 80 };

/* Beside this one; "" when it can't be told. */
static void find_beside(const char *name, char ret_path[PATH_MAX])
{
    ssize_t size = readlink("/proc/self/exe", ret_path, PATH_MAX - NAME_MAX_SIZE);
    ret_path[size > 0 ? size : 0] = 0;
    char *slash = strrchr(ret_path, '/');
    if (slash)
        snprintf(slash + 1, NAME_MAX_SIZE, "%s", name);
}

enum pf_status program_find(const char *name, char ret_path[PATH_MAX], struct pf_error *err)
{
    find_beside(name, ret_path);
    if (ret_path[0] && access(ret_path, X_OK) == 0)
        return PF_OK;
    for (const char *at = getenv("PATH"); at && *at;) {
        size_t size = strcspn(at, ":");
        int used = snprintf(ret_path, PATH_MAX, "%.*s/%s", (int)size, at, name);
        if (size > 0 && used > 0 && used < PATH_MAX && access(ret_path, X_OK) == 0)
            return PF_OK;
        at += size + (at[size] == ':');
    }
    return pf_fail(err, PF_NOT_FOUND, "%s is neither beside this program nor on PATH", name);
}

enum pf_status program_find_data(const char *name, char ret_path[PATH_MAX], struct pf_error *err)
{
    static const char *const folders[] = {"", "../share/promptfix/"};
    for (size_t i = 0; i < COUNT_OF(folders); i++) {
        char place[NAME_MAX_SIZE];
        int used = snprintf(place, sizeof place, "%s%s", folders[i], name);
        find_beside(place, ret_path);
        if (used < NAME_MAX_SIZE && ret_path[0] && access(ret_path, R_OK) == 0)
            return PF_OK;
    }
    return pf_fail(
        err, PF_NOT_FOUND, "%s is neither beside this program nor in ../share/promptfix", name);
}
