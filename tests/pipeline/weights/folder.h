/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_PIPELINE_WEIGHTS_FOLDER_H
#define TESTS_PIPELINE_WEIGHTS_FOLDER_H

/* A temporary folder for a group of tests, and the place of the golden cases. */

enum { FOLDER_PATH_MAX = 512 };

int folder_create(void **state); /* cmocka group set-up */
int folder_remove(void **state); /* its tear-down: the folder must be empty */

/* FOLDER/name. */
void folder_path(const char *name, char ret_path[FOLDER_PATH_MAX]);
void folder_write(const char *name, const void *bytes, unsigned long count);
void folder_unlink(const char *name);

/* The path of a golden case's file, or the running test is skipped. */
void golden_path(const char *name, char ret_path[FOLDER_PATH_MAX]);

#endif
