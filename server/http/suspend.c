/* SPDX-License-Identifier: Apache-2.0 */
/* A wake may come between the look at the source ("nothing yet") and the suspension. Each
 * suspension therefore keeps a `woken` bit that only suspension_sleep() clears: a sleeper takes it
 * first and goes round again instead of sleeping.
 *
 * Locking: suspender.mutex guards the list and every member of a suspension but `refs`.
 * MHD_suspend_connection() and MHD_resume_connection() are called under it (they take the daemon's
 * own mutex, under which no callback of ours runs), so a connection that is marked asleep can't be
 * resumed twice or freed meanwhile. A socket stays open while its suspension is in the list:
 * suspension_end() comes before libmicrohttpd closes it. */
#define _GNU_SOURCE /* POLLRDHUP */
#include "server/http/suspend.h"

#include <microhttpd.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"

enum { POLL_CHUNK = 256 };

struct suspension {
    atomic_int refs;
    struct suspender *suspender;
    struct MHD_Connection *connection; /* NULL once ended */
    int fd;
    int asleep; /* and in the list */
    enum suspend_mode mode;
    int64_t until_ms;
    int woken;
    int gone;
    struct suspension *next, *previous;
};

struct suspender {
    pthread_mutex_t mutex;
    struct suspension *head; /* those asleep */
    size_t count;
    int stopping;
};

enum pf_status suspender_create(struct suspender **ret_suspender, struct pf_error *err)
{
    struct suspender *suspender = calloc(1, sizeof *suspender);
    if (!suspender)
        return pf_fail(err, PF_NOMEM, "suspender: out of memory");
    pthread_mutex_init(&suspender->mutex, NULL);
    *ret_suspender = suspender;
    return PF_OK;
}

void suspender_destroy(struct suspender *suspender)
{
    if (!suspender)
        return;
    pthread_mutex_destroy(&suspender->mutex);
    free(suspender);
}

static void list_insert(struct suspender *suspender, struct suspension *suspension)
{
    suspension->previous = NULL;
    suspension->next = suspender->head;
    if (suspender->head)
        suspender->head->previous = suspension;
    suspender->head = suspension;
    suspender->count++;
}

static void list_remove(struct suspender *suspender, struct suspension *suspension)
{
    if (suspension->previous)
        suspension->previous->next = suspension->next;
    else
        suspender->head = suspension->next;
    if (suspension->next)
        suspension->next->previous = suspension->previous;
    suspender->count--;
}

/* Under the mutex. */
static void resume(struct suspension *suspension)
{
    if (!suspension->asleep)
        return;
    suspension->asleep = 0;
    list_remove(suspension->suspender, suspension);
    MHD_resume_connection(suspension->connection);
}

/* Marks up to POLL_CHUNK of the watched sleepers from `from` whose peer has closed; returns where
 * to go on. Under the mutex; the poll doesn't wait. */
static struct suspension *mark_gone(struct suspension *from)
{
    struct pollfd fds[POLL_CHUNK];
    struct suspension *polled[POLL_CHUNK];
    nfds_t count = 0;
    for (; from && count < POLL_CHUNK; from = from->next) {
        if (from->mode != SUSPEND_WATCHED)
            continue;
        polled[count] = from;
        fds[count++] = (struct pollfd){.fd = from->fd, .events = POLLRDHUP};
    }
    if (count > 0 && poll(fds, count, 0) > 0)
        for (nfds_t i = 0; i < count; i++)
            if (fds[i].revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL))
                polled[i]->gone = 1;
    return from;
}

void suspender_tick(struct suspender *suspender, int64_t now_ms)
{
    pthread_mutex_lock(&suspender->mutex);
    for (struct suspension *from = suspender->head; from;)
        from = mark_gone(from);
    for (struct suspension *at = suspender->head, *next; at; at = next) {
        next = at->next;
        if (at->mode == SUSPEND_WATCHED && (at->gone || at->until_ms <= now_ms))
            resume(at);
    }
    pthread_mutex_unlock(&suspender->mutex);
}

void suspender_stop(struct suspender *suspender)
{
    pthread_mutex_lock(&suspender->mutex);
    suspender->stopping = 1;
    for (struct suspension *at = suspender->head, *next; at; at = next) {
        next = at->next;
        if (at->mode == SUSPEND_WATCHED)
            resume(at);
    }
    pthread_mutex_unlock(&suspender->mutex);
}

size_t suspender_count(struct suspender *suspender)
{
    pthread_mutex_lock(&suspender->mutex);
    size_t count = suspender->count;
    pthread_mutex_unlock(&suspender->mutex);
    return count;
}

struct suspension *suspension_create(
    struct suspender *suspender, struct MHD_Connection *connection, int fd)
{
    struct suspension *suspension = calloc(1, sizeof *suspension);
    if (!suspension)
        return NULL;
    atomic_init(&suspension->refs, 1);
    suspension->suspender = suspender;
    suspension->connection = connection;
    suspension->fd = fd;
    return suspension;
}

void suspension_end(struct suspension *suspension)
{
    struct suspender *suspender = suspension->suspender;
    pthread_mutex_lock(&suspender->mutex);
    if (suspension->asleep) { /* only when the daemon ends a connection under us */
        suspension->asleep = 0;
        list_remove(suspender, suspension);
    }
    suspension->connection = NULL;
    pthread_mutex_unlock(&suspender->mutex);
    suspension_unref(suspension);
}

struct suspension *suspension_ref(struct suspension *suspension)
{
    atomic_fetch_add(&suspension->refs, 1);
    return suspension;
}

void suspension_unref(struct suspension *suspension)
{
    if (suspension && atomic_fetch_sub(&suspension->refs, 1) == 1)
        free(suspension);
}

int suspension_sleep(struct suspension *suspension, enum suspend_mode mode, int64_t until_ms)
{
    struct suspender *suspender = suspension->suspender;
    int sleeps = 0;
    pthread_mutex_lock(&suspender->mutex);
    if (suspension->woken) {
        suspension->woken = 0;
    } else if (mode == SUSPEND_UNWATCHED ||
               (!suspender->stopping && !suspension->gone && clock_monotonic_ms() < until_ms)) {
        suspension->mode = mode;
        suspension->until_ms = until_ms;
        suspension->asleep = 1;
        list_insert(suspender, suspension);
        MHD_suspend_connection(suspension->connection);
        sleeps = 1;
    }
    pthread_mutex_unlock(&suspender->mutex);
    return sleeps;
}

static void wake(struct suspension *suspension, int is_released)
{
    struct suspender *suspender = suspension->suspender;
    pthread_mutex_lock(&suspender->mutex);
    if (suspension->asleep && (is_released || suspension->mode == SUSPEND_WATCHED))
        resume(suspension); /* it looks at its source again anyway */
    else
        suspension->woken = 1;
    pthread_mutex_unlock(&suspender->mutex);
}

void suspension_wake(struct suspension *suspension)
{
    wake(suspension, 0);
}

void suspension_release(struct suspension *suspension)
{
    wake(suspension, 1);
}

int suspension_is_gone(struct suspension *suspension)
{
    pthread_mutex_lock(&suspension->suspender->mutex);
    int gone = suspension->gone;
    pthread_mutex_unlock(&suspension->suspender->mutex);
    return gone;
}

int suspension_is_stopping(struct suspension *suspension)
{
    pthread_mutex_lock(&suspension->suspender->mutex);
    int stopping = suspension->suspender->stopping;
    pthread_mutex_unlock(&suspension->suspender->mutex);
    return stopping;
}
