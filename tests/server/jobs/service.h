/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SERVER_JOBS_SERVICE_H
#define TESTS_SERVER_JOBS_SERVICE_H

/* The job service without workers: the test plays the worker. On both kinds of store. */

#include "server/jobs/jobs_internal.h"
#include "tests/server/jobs/fixture.h"

struct fixture {
    struct folder folder;
    int in_memory;
    struct jobs *jobs;
    struct pf_error err;
};

extern const struct jobs_outcome success;

int set_up(void **state, int in_memory);
int set_up_file(void **state);
int set_up_memory(void **state);
int tear_down(void **state);
void submit_text(struct fixture *f, const char *instruction, char ret_id[ID_SIZE]);
int64_t take(struct fixture *f, const char *id);
void finish(struct fixture *f, const char *id, int64_t attempt);
void report_step(struct fixture *f, const char *id, int64_t attempt, int64_t step);
/* Closes the service and opens it again with other options. */
void reopen(struct fixture *f, const struct jobs_options *changes);
void no_wake(void *context);
void assert_events(struct fixture *f, const char *id, int64_t after_id, const char *expected);

#define ON_BOTH(test)                                                                              \
    {#test " (file)", test, set_up_file, tear_down, NULL},                                         \
    {                                                                                              \
#test " (memory)", test, set_up_memory, tear_down, NULL                                    \
    }

#endif
