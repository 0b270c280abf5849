/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SERVER_VLM_MOCK_H
#define TESTS_SERVER_VLM_MOCK_H

/* A chat endpoint on a loopback port, a thread a connection. What the requests must look like is
 * checked by tests/e2e; here it is about who asks when. */

#include <pthread.h>
#include <stddef.h>

enum mock_action { MOCK_ANSWER, MOCK_HANG };

struct mock_reply {
    enum mock_action action;
    int status;
    const char *header; /* "Retry-After: 1\r\n", or NULL */
    const char *answer; /* text of the completion; NULL: an empty body */
    int delay_ms;
};

struct mock {
    int fd;
    char url[64];
    /* What to do with the number-th request (1, 2, …); one call at a time. */
    struct mock_reply (*script)(int number, const char *body);
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t ended;
    int number;     /* requests so far */
    int open, most; /* requests being answered; the most at a time */
    int threads;    /* of connections */
    int is_stopping;
};

void mock_start(struct mock *mock, struct mock_reply (*script)(int number, const char *body));
void mock_stop(struct mock *mock); /* hanging requests are hung up */
int mock_count(struct mock *mock); /* requests so far */
int mock_open(struct mock *mock);
int mock_most(struct mock *mock);

#endif
