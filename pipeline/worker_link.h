/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_WORKER_LINK_H
#define PIPELINE_WORKER_LINK_H

/* The worker's end of the socket to its server: frames in, messages of base/protocol.h out. */

#include "base/frame.h"
#include "pipeline/run.h"

struct worker_link {
    int fd;     /* borrowed */
    int closed; /* the server is gone, or the talk can't go on */
    struct frame_reader reader;
    struct pf_error error; /* why, when closed by a fault */
};

void worker_link_init(struct worker_link *link, int fd);
void worker_link_finish(struct worker_link *link);

/* Reads some bytes, waiting up to `timeout_ms` (-1: without end) for the first; 0 when there were
 * none. Take the whole frames out before reading more. */
int worker_link_receive(struct worker_link *link, int timeout_ms);

/* The next whole frame, or 0; none once the link is closed. It holds until the next call of
 * anything here. */
int worker_link_next(struct worker_link *link, struct frame *ret_frame);

/* Starts a header {"type":…,"job":…,"attempt":…; the caller goes on with ",…" members.
 * `job` NULL: without job and attempt. */
void worker_link_begin(struct buffer *header, const char *type, const char *job, int64_t attempt);

/* Closes the header's object and sends the frame; blocks. A fault closes the link. */
void worker_link_send(
    struct worker_link *link, struct buffer *header, const void *body, size_t size);

#endif
