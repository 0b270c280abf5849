/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* memmem, strcasestr */
#include "bench/http_load.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

enum { ANSWER_MAX = 64 << 10, EVENTS_AT_ONCE = 256, SAMPLES_MAX = 1 << 20 };

struct connection {
    int fd;
    size_t sent;
    size_t received;
    int64_t start_us;
    char answer[ANSWER_MAX];
};

struct run {
    const struct http_load *load;
    struct http_load_result result;
    float *samples_ms;
    size_t sample_count;
};

static void die(const char *what)
{
    perror(what);
    exit(1);
}

int http_load_connect(unsigned port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
        .sin_port = htons((uint16_t)port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        die("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

/* Whether the answer received so far is whole. */
static int is_whole(const char *answer, size_t size)
{
    const char *end = memmem(answer, size, "\r\n\r\n", 4);
    if (!end)
        return 0;
    const char *length = strcasestr(answer, "\r\ncontent-length:");
    size_t body = length && length < end ? strtoul(length + 17, NULL, 10) : 0;
    return size >= (size_t)(end - answer) + 4 + body;
}

static void begin(struct connection *connection)
{
    connection->sent = connection->received = 0;
    connection->start_us = clock_monotonic_us();
}

static void send_rest(const struct http_load *load, struct connection *connection)
{
    while (connection->sent < load->request_size) {
        ssize_t count = send(connection->fd, load->request + connection->sent,
            load->request_size - connection->sent, MSG_NOSIGNAL);
        if (count <= 0)
            return;
        connection->sent += (size_t)count;
    }
}

static void finish(struct run *run, struct connection *connection)
{
    int status = 0;
    sscanf(connection->answer, "HTTP/1.1 %d", &status);
    run->result.answers++;
    run->result.errors += status < 200 || status > 299;
    if (run->sample_count < SAMPLES_MAX)
        run->samples_ms[run->sample_count++] =
            (float)(clock_monotonic_us() - connection->start_us) / 1000.0f;
    begin(connection);
    send_rest(run->load, connection);
}

static void receive(struct run *run, struct connection *connection)
{
    ssize_t count = recv(connection->fd, connection->answer + connection->received,
        ANSWER_MAX - 1 - connection->received, 0);
    if (count <= 0) {
        run->result.errors++;
        close(connection->fd);
        die("the server closed a connection");
    }
    connection->received += (size_t)count;
    connection->answer[connection->received] = 0;
    if (is_whole(connection->answer, connection->received))
        finish(run, connection);
}

static int compare(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static void summarize(struct run *run, int64_t took_us)
{
    struct http_load_result *result = &run->result;
    qsort(run->samples_ms, run->sample_count, sizeof *run->samples_ms, compare);
    result->per_second = (double)result->answers * 1e6 / (double)took_us;
    if (run->sample_count == 0)
        return;
    result->p50_ms = (double)run->samples_ms[run->sample_count / 2];
    result->p99_ms = (double)run->samples_ms[run->sample_count * 99 / 100];
}

struct http_load_result http_load_run(const struct http_load *load)
{
    struct run run = {.load = load, .samples_ms = malloc(SAMPLES_MAX * sizeof(float))};
    struct connection *connections = calloc(load->connections, sizeof *connections);
    struct epoll_event events[EVENTS_AT_ONCE];
    int epoll_fd = epoll_create1(0);
    if (!run.samples_ms || !connections || epoll_fd < 0)
        die("no memory");
    int64_t start_us = clock_monotonic_us();
    for (size_t i = 0; i < load->connections; i++) {
        connections[i].fd = http_load_connect(load->port);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &connections[i]};
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, connections[i].fd, &event);
        begin(&connections[i]);
        send_rest(load, &connections[i]);
    }
    while (clock_monotonic_us() - start_us < load->duration_ms * 1000) {
        int count = epoll_wait(epoll_fd, events, EVENTS_AT_ONCE, 10);
        for (int i = 0; i < count; i++)
            receive(&run, events[i].data.ptr);
    }
    summarize(&run, clock_monotonic_us() - start_us);
    for (size_t i = 0; i < load->connections; i++)
        close(connections[i].fd);
    close(epoll_fd);
    free(connections);
    free(run.samples_ms);
    return run.result;
}

int http_load_ask(
    unsigned port, const char *request, size_t request_size, char *answer, size_t capacity)
{
    static char bytes[4 << 20];
    size_t size = 0;
    int fd = http_load_connect(port), status = 0;
    if (send(fd, request, request_size, MSG_NOSIGNAL) < 0)
        die("send");
    while (!is_whole(bytes, size)) {
        ssize_t count = recv(fd, bytes + size, sizeof bytes - 1 - size, 0);
        if (count <= 0)
            break;
        size += (size_t)count;
        bytes[size] = 0;
    }
    close(fd);
    const char *body = memmem(bytes, size, "\r\n\r\n", 4);
    snprintf(answer, capacity, "%s", body ? body + 4 : "");
    sscanf(bytes, "HTTP/1.1 %d", &status);
    return status;
}
