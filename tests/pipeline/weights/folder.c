/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/pipeline/weights/folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/test.h"

#include "base/file.h"

static char folder[] = "/tmp/promptfix-test-XXXXXX";

int folder_create(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

int folder_remove(void **state)
{
    (void)state;
    return rmdir(folder);
}

void folder_path(const char *name, char ret_path[FOLDER_PATH_MAX])
{
    snprintf(ret_path, FOLDER_PATH_MAX, "%s/%s", folder, name);
}

void folder_write(const char *name, const void *bytes, unsigned long count)
{
    struct pf_error err = PF_ERROR_INIT;
    char path[FOLDER_PATH_MAX];
    folder_path(name, path);
    assert_ok(file_write(path, bytes, count, 0600, 0, &err), &err);
}

void folder_unlink(const char *name)
{
    char path[FOLDER_PATH_MAX];
    folder_path(name, path);
    assert_int_equal(unlink(path), 0);
}

void golden_path(const char *name, char ret_path[FOLDER_PATH_MAX])
{
    snprintf(ret_path, FOLDER_PATH_MAX, "%s/%s", TEST_GOLDEN_DIR, name);
    if (access(ret_path, R_OK) != 0) {
        print_message("no golden case at %s: skipped\n", ret_path);
        skip();
    }
}
