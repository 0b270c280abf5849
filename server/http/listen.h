/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_HTTP_LISTEN_H
#define SERVER_HTTP_LISTEN_H

#include <stddef.h>

#include "base/error.h"

/* A listening TCP socket (non-blocking, close-on-exec, SO_REUSEADDR) on the first address of `host`
 * that can be bound; port 0 lets the kernel choose. ret_text gets "127.0.0.1:8080" or "[::1]:8080"
 * as bound. PF_INVALID: host unknown; PF_IO: address in use, not permitted, …. */
PF_MUST_CHECK enum pf_status listen_open(const char *host, unsigned port, int *ret_fd,
    char *ret_text, size_t capacity, struct pf_error *err);

#endif
