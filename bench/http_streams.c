/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* memmem */
#include "bench/http_streams.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "bench/http_load.h"

enum { DEADLINE_MS = HTTP_STREAMS_STEPS * HTTP_STREAMS_STEP_MS + 20000, EVENTS_AT_ONCE = 256 };

struct stream {
    int fd;
    size_t size;
    char bytes[1 << 14];
    int steps;
};

struct timing {
    float *late_ms;
    size_t count;
};

int64_t http_streams_resident_kib(int pid)
{
    char path[64], line[256];
    long long kib = 0;
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file))
        sscanf(line, "VmRSS: %lld", &kib);
    if (file)
        fclose(file);
    return kib;
}

/* One event, whole: counted when it is a step, timed when it is a late one. */
static void take_event(struct stream *stream, struct timing *timing, const char *text, size_t size)
{
    static const char step[] = "event: step\n", sigma[] = "\"sigma\":";
    if (!memmem(text, size, step, sizeof step - 1))
        return;
    const char *sent = memmem(text, size, sigma, sizeof sigma - 1);
    /* The first half may be replay, while streams were still being opened. */
    if (++stream->steps > HTTP_STREAMS_STEPS / 2 && sent)
        timing->late_ms[timing->count++] =
            (float)((double)clock_monotonic_us() / 1000 - strtod(sent + sizeof sigma - 1, NULL));
}

static void read_stream(struct stream *stream, struct timing *timing)
{
    ssize_t count =
        recv(stream->fd, stream->bytes + stream->size, sizeof stream->bytes - 1 - stream->size, 0);
    if (count <= 0)
        return;
    stream->size += (size_t)count;
    stream->bytes[stream->size] = 0;
    char *at = stream->bytes;
    for (char *end; (end = strstr(at, "\n\n")) != NULL; at = end + 2)
        take_event(stream, timing, at, (size_t)(end - at) + 1);
    stream->size -= (size_t)(at - stream->bytes);
    memmove(stream->bytes, at, stream->size + 1);
}

static int compare(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static void open_all(struct stream *all, size_t count, int epoll_fd, unsigned port, const char *id)
{
    char request[256];
    int size = snprintf(request, sizeof request,
        "GET /v1/jobs/%s/events HTTP/1.1\r\nHost: x\r\nLast-Event-ID: 1\r\n\r\n", id);
    for (size_t i = 0; i < count; i++) {
        all[i].fd = http_load_connect(port);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &all[i]};
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, all[i].fd, &event);
        if (send(all[i].fd, request, (size_t)size, MSG_NOSIGNAL) != size) {
            perror("send");
            exit(1);
        }
    }
}

static size_t read_all(struct stream *all, size_t count, int epoll_fd, struct timing *timing)
{
    struct epoll_event events[EVENTS_AT_ONCE];
    int64_t end_ms = clock_monotonic_ms() + DEADLINE_MS;
    size_t done = 0;
    while (done < count && clock_monotonic_ms() < end_ms) {
        int ready = epoll_wait(epoll_fd, events, EVENTS_AT_ONCE, 100);
        for (int i = 0; i < ready; i++) {
            struct stream *stream = events[i].data.ptr;
            int before = stream->steps;
            read_stream(stream, timing);
            if (before < HTTP_STREAMS_STEPS && stream->steps == HTTP_STREAMS_STEPS) {
                epoll_ctl(epoll_fd, EPOLL_CTL_DEL, stream->fd, NULL);
                done++;
            }
        }
    }
    (void)all;
    return count - done;
}

struct http_streams_result http_streams_run(unsigned port, int pid, const char *id, size_t streams)
{
    struct http_streams_result result = {.deliveries = 0};
    struct stream *all = calloc(streams, sizeof *all);
    struct timing timing = {malloc(streams * HTTP_STREAMS_STEPS * sizeof *timing.late_ms), 0};
    int epoll_fd = epoll_create1(0);
    if (!all || !timing.late_ms || epoll_fd < 0) {
        perror("streams");
        exit(1);
    }
    int64_t before_kib = http_streams_resident_kib(pid);
    open_all(all, streams, epoll_fd, port, id);
    result.unfinished = read_all(all, streams, epoll_fd, &timing);
    result.opened_kib = http_streams_resident_kib(pid) - before_kib;
    qsort(timing.late_ms, timing.count, sizeof *timing.late_ms, compare);
    result.deliveries = (int64_t)timing.count;
    if (timing.count > 0) {
        result.p50_ms = (double)timing.late_ms[timing.count / 2];
        result.p99_ms = (double)timing.late_ms[timing.count * 99 / 100];
    }
    for (size_t i = 0; i < streams; i++)
        close(all[i].fd);
    close(epoll_fd);
    free(timing.late_ms);
    free(all);
    return result;
}
