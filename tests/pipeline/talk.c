/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/pipeline/talk.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "tests/test.h"

enum { DEADLINE_MS = 120 * 1000, RECEIVE_SIZE = 4096 };

void talk_open(struct talk *talk)
{
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    *talk = (struct talk){.fd = ends[0], .worker_fd = ends[1]};
    frame_reader_init(&talk->reader);
}

void talk_hang_up(struct talk *talk)
{
    close(talk->fd);
    talk->fd = -1;
}

void talk_close(struct talk *talk)
{
    if (talk->fd >= 0)
        close(talk->fd);
    if (talk->worker_fd >= 0)
        close(talk->worker_fd);
    frame_reader_finish(&talk->reader);
}

void talk_send_bytes(struct talk *talk, const void *bytes, size_t count)
{
    const char *at = bytes;
    while (count > 0) {
        ssize_t sent = send(talk->fd, at, count, MSG_NOSIGNAL);
        assert_true(sent > 0);
        at += sent;
        count -= (size_t)sent;
    }
}

static void send_frame(
    struct talk *talk, const struct buffer *header, const void *body, size_t body_size)
{
    AUTO_BUFFER struct buffer out = BUFFER_INIT;
    struct pf_error err = PF_ERROR_INIT;
    assert_ok(frame_put(&out, header->data, header->size, body, body_size, &err), &err);
    talk_send_bytes(talk, out.data, out.size);
}

void talk_send_header(struct talk *talk, const char *text)
{
    AUTO_BUFFER struct buffer header = BUFFER_INIT;
    buffer_put_text(&header, text);
    send_frame(talk, &header, NULL, 0);
}

void talk_send_cancel(struct talk *talk, const char *job)
{
    AUTO_BUFFER struct buffer header = BUFFER_INIT;
    buffer_put_format(&header, "{\"type\":\"cancel\",\"job\":\"%s\"}", job);
    send_frame(talk, &header, NULL, 0);
}

void talk_send_run(struct talk *talk, const struct talk_run *run)
{
    AUTO_BUFFER struct buffer header = BUFFER_INIT;
    AUTO_BUFFER struct buffer body = BUFFER_INIT;
    const char *instruction = run->instruction ? run->instruction : "remove the haze";
    const char *parameters =
        run->parameters ? run->parameters : "{\"steps\":3,\"resolution\":64,\"guidance\":\"off\"}";
    size_t mask_size = run->mask ? run->mask->size : 0;
    buffer_put(&body, run->image->data, run->image->size);
    if (run->mask)
        buffer_put(&body, run->mask->data, run->mask->size);
    buffer_put_format(&header,
        "{\"type\":\"run\",\"job\":\"%s\",\"attempt\":%d,\"image_bytes\":%zu,\"mask_bytes\":%zu,"
        "\"auxiliary_prompt\":\"\",\"parameters\":%s,\"instruction\":",
        run->job, run->attempt, run->image->size, mask_size, parameters);
    buffer_put_json_string(&header, instruction, strlen(instruction));
    buffer_put_text(&header, "}");
    send_frame(talk, &header, body.data, body.size);
}

/* A whole frame out of what was received: 1 when there is one. */
static int take(struct talk *talk, struct told *ret_told)
{
    struct pf_error err = PF_ERROR_INIT;
    struct frame frame;
    int have = 0;
    assert_ok(frame_reader_next(&talk->reader, &frame, &have, &err), &err);
    if (!have)
        return 0;
    struct told told = {.body_size = frame.body_size};
    assert_ok(jdoc_parse(&told.doc, frame.header, frame.header_size, &err), &err);
    told.header = jdoc_root(told.doc);
    told.type = jdoc_get_string(told.header, "type", "");
    told.job = jdoc_get_string(told.header, "job", "");
    if (frame.body_size > 0) {
        told.body = malloc(frame.body_size);
        assert_non_null(told.body);
        memcpy(told.body, frame.body, frame.body_size);
    }
    *ret_told = told;
    return 1;
}

int talk_next(struct talk *talk, int timeout_ms, struct told *ret_told)
{
    int64_t end_ms = clock_monotonic_ms() + timeout_ms;
    for (;;) {
        if (take(talk, ret_told)) {
            if (strcmp(ret_told->type, "stats") != 0)
                return 1;
            talk->stats++;
            told_finish(ret_told);
            continue;
        }
        struct pf_error err = PF_ERROR_INIT;
        char bytes[RECEIVE_SIZE];
        struct pollfd ready = {.fd = talk->fd, .events = POLLIN};
        int64_t left_ms = end_ms - clock_monotonic_ms();
        int polled = poll(&ready, 1, left_ms > 0 ? (int)left_ms : 0);
        if (polled < 0 && errno == EINTR)
            continue;
        if (polled <= 0)
            return 0;
        ssize_t count = recv(talk->fd, bytes, sizeof bytes, 0);
        if (count <= 0)
            return 0;
        assert_ok(frame_reader_feed(&talk->reader, bytes, (size_t)count, &err), &err);
    }
}

void told_finish(struct told *told)
{
    jdoc_destroy(told->doc);
    free(told->body);
    *told = (struct told){.doc = NULL};
}

struct told talk_expect(struct talk *talk, const char *type, const char *job)
{
    struct told told;
    if (!talk_next(talk, DEADLINE_MS, &told))
        fail_msg("the worker said nothing, expected %s", type);
    if (strcmp(told.type, type) != 0 || strcmp(told.job, job) != 0)
        fail_msg("the worker told %s of '%s' (%s), expected %s of '%s'", told.type, told.job,
            jdoc_get_string(told.header, "message", ""), type, job);
    return told;
}

struct buffer talk_png(const struct image *image)
{
    struct buffer file = BUFFER_INIT;
    struct pf_error err = PF_ERROR_INIT;
    assert_ok(image_library_init("test", 1, &err), &err);
    assert_ok(image_encode(image, IMAGE_FORMAT_PNG, 90, &file, &err), &err);
    return file;
}

struct image talk_picture(const struct told *told)
{
    struct image image = IMAGE_INIT;
    struct image_limits limits = IMAGE_LIMITS_DEFAULT;
    struct pf_error err = PF_ERROR_INIT;
    assert_non_null(told->body);
    assert_ok(image_decode(told->body, told->body_size, &limits, &image, &err), &err);
    return image;
}
