/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/server/vlm/mock.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buffer.h"
#include "tests/test.h"

struct talk {
    struct mock *mock;
    int fd;
};

static int is_stopping(struct mock *mock)
{
    pthread_mutex_lock(&mock->lock);
    int stopping = mock->is_stopping;
    pthread_mutex_unlock(&mock->lock);
    return stopping;
}

/* More bytes; 0: the other side left, or the test ends. */
static int receive(struct talk *talk, struct buffer *in)
{
    char bytes[16384];
    struct pollfd fd = {.fd = talk->fd, .events = POLLIN};
    while (poll(&fd, 1, 20) == 0)
        if (is_stopping(talk->mock))
            return 0;
    ssize_t count = read(talk->fd, bytes, sizeof bytes);
    if (count <= 0)
        return 0;
    buffer_put(in, bytes, (size_t)count);
    return 1;
}

/* Reads one whole request; its body is what follows the headers. */
static const char *read_request(struct talk *talk, struct buffer *in)
{
    for (;;) {
        const char *end = in->size > 0 ? strstr(in->data, "\r\n\r\n") : NULL;
        const char *length = end ? strstr(in->data, "Content-Length: ") : NULL;
        if (length && in->size >= (size_t)(end + 4 - in->data) + strtoul(length + 16, NULL, 10))
            return end + 4;
        if (!receive(talk, in))
            return NULL;
    }
}

static void reply(struct talk *talk, const struct mock_reply *reply)
{
    AUTO_BUFFER struct buffer body = BUFFER_INIT, out = BUFFER_INIT;
    if (reply->answer) {
        buffer_put_text(&body, "{\"choices\":[{\"message\":{\"content\":");
        buffer_put_json_string(&body, reply->answer, strlen(reply->answer));
        buffer_put_text(&body, "}}]}");
    }
    buffer_put_format(&out, "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n%s\r\n",
        reply->status ? reply->status : 200, body.size, reply->header ? reply->header : "");
    buffer_put(&out, body.data, body.size);
    (void)!write(talk->fd, out.data, out.size);
}

/* Until the client leaves, the time is over or the test ends. */
static void wait_idle(struct talk *talk, int for_ms)
{
    struct pollfd fd = {.fd = talk->fd, .events = POLLIN};
    for (int waited = 0; waited < for_ms && !is_stopping(talk->mock); waited += 10)
        if (poll(&fd, 1, 10) != 0)
            return;
}

static int serve_one(struct talk *talk, struct buffer *in)
{
    struct mock *mock = talk->mock;
    buffer_clear(in);
    const char *body = read_request(talk, in);
    if (!body)
        return 0;
    pthread_mutex_lock(&mock->lock);
    mock->open++;
    mock->most = mock->open > mock->most ? mock->open : mock->most;
    struct mock_reply what = mock->script(++mock->number, body);
    pthread_mutex_unlock(&mock->lock);
    wait_idle(talk, what.action == MOCK_HANG ? 60000 : what.delay_ms);
    pthread_mutex_lock(&mock->lock);
    mock->open--; /* before the answer: who gets it may ask again at once */
    pthread_mutex_unlock(&mock->lock);
    if (what.action == MOCK_ANSWER)
        reply(talk, &what);
    return what.action == MOCK_ANSWER;
}

static void *talk_thread(void *context)
{
    struct talk *talk = context;
    struct mock *mock = talk->mock;
    AUTO_BUFFER struct buffer in = BUFFER_INIT;
    while (serve_one(talk, &in)) {
    }
    close(talk->fd);
    free(talk);
    pthread_mutex_lock(&mock->lock);
    mock->threads--;
    pthread_cond_broadcast(&mock->ended);
    pthread_mutex_unlock(&mock->lock);
    return NULL;
}

static void *accept_thread(void *context)
{
    struct mock *mock = context;
    while (!is_stopping(mock)) {
        struct pollfd fd = {.fd = mock->fd, .events = POLLIN};
        if (poll(&fd, 1, 20) <= 0)
            continue;
        struct talk *talk = malloc(sizeof *talk);
        pthread_t thread;
        *talk = (struct talk){.mock = mock, .fd = accept(mock->fd, NULL, NULL)};
        pthread_mutex_lock(&mock->lock);
        mock->threads++;
        pthread_mutex_unlock(&mock->lock);
        if (pthread_create(&thread, NULL, talk_thread, talk) != 0)
            abort();
        pthread_detach(thread);
    }
    return NULL;
}

void mock_start(struct mock *mock, struct mock_reply (*script)(int number, const char *body))
{
    *mock = (struct mock){.script = script};
    pthread_mutex_init(&mock->lock, NULL);
    pthread_cond_init(&mock->ended, NULL);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    mock->fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(mock->fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(mock->fd, 64), 0);
    assert_int_equal(getsockname(mock->fd, (struct sockaddr *)&address, &size), 0);
    snprintf(mock->url, sizeof mock->url, "http://127.0.0.1:%d/v1", ntohs(address.sin_port));
    assert_int_equal(pthread_create(&mock->thread, NULL, accept_thread, mock), 0);
}

void mock_stop(struct mock *mock)
{
    pthread_mutex_lock(&mock->lock);
    mock->is_stopping = 1;
    pthread_mutex_unlock(&mock->lock);
    pthread_join(mock->thread, NULL);
    pthread_mutex_lock(&mock->lock);
    while (mock->threads > 0)
        pthread_cond_wait(&mock->ended, &mock->lock);
    pthread_mutex_unlock(&mock->lock);
    close(mock->fd);
    pthread_cond_destroy(&mock->ended);
    pthread_mutex_destroy(&mock->lock);
}

static int get(struct mock *mock, const int *member)
{
    pthread_mutex_lock(&mock->lock);
    int value = *member;
    pthread_mutex_unlock(&mock->lock);
    return value;
}

int mock_count(struct mock *mock)
{
    return get(mock, &mock->number);
}

int mock_open(struct mock *mock)
{
    return get(mock, &mock->open);
}

int mock_most(struct mock *mock)
{
    return get(mock, &mock->most);
}
