/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SERVER_HTTP_CLIENT_H
#define TESTS_SERVER_HTTP_CLIENT_H

/* A raw HTTP client on a loopback socket, for what no well-behaved client would send. */

#include <stddef.h>
#include <stdint.h>

struct client {
    int fd;
    char *data; /* everything received so far, NUL-terminated */
    size_t size;
};

/* address: "127.0.0.1:4711". Fails the test when it can't connect. */
void client_open(struct client *client, const char *address);
void client_close(struct client *client);

void client_send(struct client *client, const char *text);
void client_send_bytes(struct client *client, const void *bytes, size_t count);

/* Receives until `part` has come, at most `within_ms`. Returns 1 when it has. */
int client_wait(struct client *client, const char *part, int64_t within_ms);
/* Receives until the other side closes. Returns 1 when it did. */
int client_wait_end(struct client *client, int64_t within_ms);

/* Status of the first answer received; 0 when there is none. */
int client_status(const struct client *client);

/* Sends a request, waits for the end of its answer (the connection's, or `part`) and returns the
 * status. */
int client_ask(struct client *client, const char *address, const char *request);

#endif
