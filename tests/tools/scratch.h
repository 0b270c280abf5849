/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_TOOLS_SCRATCH_H
#define TESTS_TOOLS_SCRATCH_H

/* A folder of its own for a test or a group of tests, removed with all that is in it. */

/* cmocka's set-up and tear-down. */
int scratch_set_up(void **state);
int scratch_tear_down(void **state);

/* Its path, between the two. */
extern char scratch_folder[];

/* FOLDER/name; static, until the fourth call after it. */
const char *scratch_path(const char *name);

#endif
