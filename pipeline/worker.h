/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_WORKER_H
#define PIPELINE_WORKER_H

/* The worker's loop: jobs from its server's socket, through a pipeline, results back. One thread
 * computes and talks; the socket is looked at between any two operations, so that a cancel stops a
 * job in the middle of a UNet call when nobody else shares it. */

#include "pipeline/batcher.h"
#include "pipeline/worker_link.h"

struct worker_options {
    struct pipeline_options pipeline; /* its `device` is found out from the text below */
    const char *device;               /* as on the command line */
    int max_batch, max_runs;
    int64_t max_pixels; /* of an image file */
    int socket_fd;
};

/* Loads the pipeline and serves until the server closes the socket. PF_OK then; a failure to load
 * is told to the server and returned. */
PF_MUST_CHECK enum pf_status worker_serve(
    const struct worker_options *options, struct pf_error *err);

#endif
