/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_TOOLS_PROCESS_H
#define TESTS_TOOLS_PROCESS_H

/* Runs a program of ours and collects what it says. */

#include <sys/types.h>

#include "base/buffer.h"

enum { PROCESS_DEADLINE_S = 120 };

struct process {
    pid_t pid;
    int out_fd, err_fd; /* -1 once at their end */
    struct buffer out, err;
};

/* argv[0] is the path. Output is read by process_wait() and process_wait_for(). */
void process_start(struct process *process, char *const *argv);

/* Reads until standard error holds `text`. 0 when the deadline passed or both outputs ended. */
int process_wait_for(struct process *process, const char *text);

/* Reads to the end and returns the exit code, 128 + the signal, or -1 at the deadline (killed). */
int process_wait(struct process *process);
void process_finish(struct process *process);

#endif
