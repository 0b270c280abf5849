/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_VLM_THUMBNAIL_H
#define SERVER_VLM_THUMBNAIL_H

/* The picture that is sent, made by the program promptfix-thumbnail: the server itself decodes no
 * foreign pixels, so a file that brings a decoder down costs one question, not the service. The
 * caller's thread starts it, polls `fd` and pumps. */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buffer.h"
#include "base/error.h"

enum {
    THUMBNAIL_BYTES_MAX = 8 << 20,
    THUMBNAIL_TIMEOUT_MS = 60000,
};

struct thumbnail {
    pid_t pid; /* 0: not running */
    int fd;    /* to read from */
    int64_t until_ms;
    struct buffer out;
};

#define THUMBNAIL_INIT                                                                             \
    {                                                                                              \
        0, -1, 0, BUFFER_INIT                                                                      \
    }

struct thumbnail_options {
    const char *program;
    int64_t side;       /* longest side of what comes out */
    int64_t max_pixels; /* of what goes in */
};

/* Starts the program with image_fd as its input. PF_IO, PF_NOMEM. */
PF_MUST_CHECK enum pf_status thumbnail_start(struct thumbnail *thumbnail,
    const struct thumbnail_options *options, int image_fd, struct pf_error *err);

/* Reads what is there, without blocking. *ret_is_done is 1 at the end, with the JPEG in `out`.
 * PF_CORRUPT: the picture is damaged, with the program's words; PF_IO: the program died or took too
 * long. After a failure it is stopped. */
PF_MUST_CHECK enum pf_status thumbnail_pump(
    struct thumbnail *thumbnail, int *ret_is_done, struct pf_error *err);

/* Kills it if it runs; frees `out`. */
void thumbnail_stop(struct thumbnail *thumbnail);

#endif
