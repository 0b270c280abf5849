/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_PIPELINE_TALK_H
#define TESTS_PIPELINE_TALK_H

/* The server's side of a worker's socket, for tests: sends runs and cancels, reads what the worker
 * tells. Whatever fails here ends the test. */

#include "base/frame.h"
#include "base/jdoc.h"
#include "pipeline/image/image.h"

struct talk {
    int fd;        /* the server's end, owned */
    int worker_fd; /* the worker's end, owned */
    struct frame_reader reader;
    int stats; /* messages of that type so far; they are not handed out */
};

void talk_open(struct talk *talk);
void talk_close(struct talk *talk);
void talk_hang_up(struct talk *talk); /* the server's end alone */

struct talk_run {
    const char *job;
    const char *parameters;  /* a JSON object; NULL: {"steps":3,"resolution":64,"guidance":"off"} */
    const char *instruction; /* NULL: "remove the haze" */
    const struct buffer *image, *mask; /* files; mask may be NULL */
    int attempt;
};

void talk_send_run(struct talk *talk, const struct talk_run *run);
void talk_send_cancel(struct talk *talk, const char *job);
void talk_send_header(struct talk *talk, const char *header); /* a frame without body */
void talk_send_bytes(struct talk *talk, const void *bytes, size_t count);

/* One message of the worker. */
struct told {
    struct jdoc *doc;
    const struct jdoc_value *header;
    const char *type, *job; /* "" where there is none; inside `doc` */
    char *body;             /* NULL without */
    size_t body_size;
};

/* The next message: 1; 0 when none came within `timeout_ms`, or the worker hung up. Give it back
 * with told_finish(). */
int talk_next(struct talk *talk, int timeout_ms, struct told *ret_told);
void told_finish(struct told *told);

/* The next message, which must be of this type and job. */
struct told talk_expect(struct talk *talk, const char *type, const char *job);

/* A picture as PNG, and back. */
struct buffer talk_png(const struct image *image);
struct image talk_picture(const struct told *told);

#endif
