/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/worker_link.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

enum { RECEIVE_SIZE = 64 * 1024 };

void worker_link_init(struct worker_link *link, int fd)
{
    *link = (struct worker_link){.fd = fd, .error = PF_ERROR_INIT};
    frame_reader_init(&link->reader);
}

void worker_link_finish(struct worker_link *link)
{
    frame_reader_finish(&link->reader);
}

/* The server is gone: the end of the talk like any other, with or without unread bytes. */
static int is_hangup(int errno_value)
{
    return errno_value == EPIPE || errno_value == ECONNRESET;
}

static void close_link(struct worker_link *link, int errno_value, const char *what)
{
    if (errno_value != 0 && !is_hangup(errno_value))
        pf_fail_errno(&link->error, errno_value, "%s the server", what);
    link->closed = 1;
}

int worker_link_receive(struct worker_link *link, int timeout_ms)
{
    char bytes[RECEIVE_SIZE];
    struct pollfd ready = {.fd = link->fd, .events = POLLIN};
    if (link->closed || poll(&ready, 1, timeout_ms) <= 0)
        return 0;
    ssize_t count = recv(link->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (count < 0 && (errno == EINTR || errno == EAGAIN))
        return 0;
    if (count <= 0)
        close_link(link, count < 0 ? errno : 0, "reading from");
    else if (frame_reader_feed(&link->reader, bytes, (size_t)count, &link->error) != PF_OK)
        link->closed = 1;
    return !link->closed;
}

int worker_link_next(struct worker_link *link, struct frame *ret_frame)
{
    int have = 0;
    if (link->closed)
        return 0;
    if (frame_reader_next(&link->reader, ret_frame, &have, &link->error) != PF_OK)
        link->closed = 1;
    return have;
}

void worker_link_begin(struct buffer *header, const char *type, const char *job, int64_t attempt)
{
    buffer_put_format(header, "{\"type\":\"%s\"", type);
    if (!job)
        return;
    buffer_put_text(header, ",\"job\":");
    buffer_put_json_string(header, job, strlen(job));
    buffer_put_format(header, ",\"attempt\":%lld", (long long)attempt);
}

static void send_all(struct worker_link *link, const char *bytes, size_t size)
{
    while (size > 0 && !link->closed) {
        ssize_t sent = send(link->fd, bytes, size, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0) {
            close_link(link, errno, "writing to");
            return;
        }
        bytes += sent;
        size -= (size_t)sent;
    }
}

void worker_link_send(
    struct worker_link *link, struct buffer *header, const void *body, size_t size)
{
    AUTO_BUFFER struct buffer out = BUFFER_INIT;
    buffer_put_text(header, "}");
    if (buffer_status(header, &link->error) != PF_OK ||
        frame_put(&out, header->data, header->size, body, size, &link->error) != PF_OK ||
        buffer_status(&out, &link->error) != PF_OK) {
        link->closed = 1;
        return;
    }
    send_all(link, out.data, out.size);
}
