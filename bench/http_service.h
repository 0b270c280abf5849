/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_HTTP_SERVICE_H
#define BENCH_HTTP_SERVICE_H

/* A promptfixd of this benchmark's own, on a free port and in a folder of its own. Whatever fails
 * ends the program with a message. */

#include <sys/types.h>

#include "base/buffer.h"

struct http_service {
    pid_t pid;
    unsigned port;
    char folder[64];
};

enum { HTTP_SERVICE_ARGS_MAX = 32 };

/*   args   further arguments, NULL-terminated
 *   fake   arguments of the worker, as "--fake step-ms=0", or NULL: the worker is a real one */
struct http_service http_service_start(
    const char *program, const char *worker, const char *fake, const char *const *args);

/* kill -9, and the folder is gone. */
void http_service_stop(const struct http_service *service);

/* Appends a POST of an image with fields "name=value", NULL-terminated; `headers` are whole lines.
 */
void http_service_put_post(struct buffer *out, const char *headers, const void *image,
    size_t image_size, const char *const *fields);

/* Posts, and gives back the job's id. */
void http_service_submit(
    const struct http_service *service, const struct buffer *post, char ret_id[33]);

/* What stands behind `mark` in a JSON text, up to the next quote; "" when it isn't there. */
void http_service_copy_text(const char *json, const char *mark, char *ret, size_t capacity);

#endif
