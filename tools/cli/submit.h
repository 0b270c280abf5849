/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_CLI_SUBMIT_H
#define TOOLS_CLI_SUBMIT_H

/* Sends a list of images to a server, a few at a time, and brings the results home. */

#include "tools/cli/board.h"
#include "tools/cli/client.h"
#include "tools/cli/command.h"
#include "tools/cli/items.h"
#include "tools/cli/report.h"

enum { SUBMIT_PARALLEL_MAX = BOARD_SLOTS_MAX };

struct submit_options {
    struct client_options client; /* without callbacks */
    const char *out;              /* output folder, which is there */
    const struct items *items;
    struct report *report;
    struct board *board;
    size_t parallel;  /* 1 … SUBMIT_PARALLEL_MAX */
    int64_t body_max; /* bytes the server takes */
    int cancels;      /* on an interrupt jobs in flight are cancelled, else left to the server */
    int (*interrupted)(void *context); /* asked often, from any thread */
};

struct submit_counts {
    size_t succeeded, skipped /* done in an earlier run */, failed, left;
};

/* PF_OK: every image is dealt with, well or not, and in the report. Else something stopped it all,
 * and the rest is left for another run: PF_CANCELLED (interrupted); PF_IO, PF_BUSY (server out of
 * reach or full for too long), PF_INVALID (refuses us), with *ret_phase PHASE_SERVER; PF_IO (a
 * result or the report can't be written) with PHASE_OUTPUT; PF_NOMEM. */
PF_MUST_CHECK enum pf_status submit_run(const struct submit_options *options,
    struct submit_counts *ret_counts, enum phase *ret_phase, struct pf_error *err);

#endif
