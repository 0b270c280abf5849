/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/server/http/client.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/test.h"

#include "base/clock.h"

void client_open(struct client *client, const char *address)
{
    char host[64], port[16];
    assert_int_equal(sscanf(address, "%63[^:]:%15s", host, port), 2);
    struct addrinfo *info = NULL;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    assert_int_equal(getaddrinfo(host, port, &hints, &info), 0);
    *client = (struct client){.fd = socket(info->ai_family, SOCK_STREAM, 0)};
    assert_true(client->fd >= 0);
    assert_int_equal(connect(client->fd, info->ai_addr, info->ai_addrlen), 0);
    freeaddrinfo(info);
    client->data = calloc(1, 1);
}

void client_close(struct client *client)
{
    if (client->fd >= 0)
        close(client->fd);
    free(client->data);
    *client = (struct client){.fd = -1};
}

void client_send_bytes(struct client *client, const void *bytes, size_t count)
{
    const char *at = bytes;
    while (count > 0) {
        ssize_t sent = send(client->fd, at, count, MSG_NOSIGNAL);
        if (sent < 0 && (errno == EPIPE || errno == ECONNRESET))
            return; /* the server has had enough: the test looks at its answer */
        assert_true(sent > 0);
        at += sent;
        count -= (size_t)sent;
    }
}

void client_send(struct client *client, const char *text)
{
    client_send_bytes(client, text, strlen(text));
}

/* 1 received, 0 nothing in time, -1 closed. */
static int receive(struct client *client, int64_t until_ms)
{
    int64_t left = until_ms - clock_monotonic_ms();
    struct pollfd poll_fd = {.fd = client->fd, .events = POLLIN};
    if (left <= 0 || poll(&poll_fd, 1, (int)left) <= 0)
        return 0;
    char bytes[65536];
    ssize_t count = recv(client->fd, bytes, sizeof bytes, 0);
    if (count <= 0)
        return -1;
    client->data = realloc(client->data, client->size + (size_t)count + 1);
    assert_non_null(client->data);
    memcpy(client->data + client->size, bytes, (size_t)count);
    client->size += (size_t)count;
    client->data[client->size] = 0;
    return 1;
}

int client_wait(struct client *client, const char *part, int64_t within_ms)
{
    int64_t until_ms = clock_monotonic_ms() + within_ms;
    while (!strstr(client->data, part))
        if (receive(client, until_ms) <= 0)
            return 0;
    return 1;
}

int client_wait_end(struct client *client, int64_t within_ms)
{
    int64_t until_ms = clock_monotonic_ms() + within_ms;
    int result;
    while ((result = receive(client, until_ms)) > 0)
        ;
    return result < 0;
}

int client_status(const struct client *client)
{
    int status = 0;
    return sscanf(client->data, "HTTP/1.1 %d", &status) == 1 ? status : 0;
}

int client_ask(struct client *client, const char *address, const char *request)
{
    client_open(client, address);
    client_send(client, request);
    client_wait(client, "\r\n\r\n", 10000);
    return client_status(client);
}
