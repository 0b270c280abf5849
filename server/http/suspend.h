/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_HTTP_SUSPEND_H
#define SERVER_HTTP_SUSPEND_H

/* The only owner of MHD_suspend_connection() and MHD_resume_connection(). A request that has
 * nothing to say sleeps here until somebody wakes it, its time comes, its client goes away or the
 * server stops. libmicrohttpd 0.9.75 watches none of these for a suspended connection, and aborts
 * when stopped with one. */

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct MHD_Connection;
struct suspender;  /* one per server */
struct suspension; /* one per request that may sleep; counted, so that wakers may outlive it */

PF_MUST_CHECK enum pf_status suspender_create(
    struct suspender **ret_suspender, struct pf_error *err);
void suspender_destroy(struct suspender *suspender); /* all suspensions ended; takes NULL */

/* Wakes those whose time has come and those whose client is gone. Called every few hundred
 * milliseconds from one thread. */
void suspender_tick(struct suspender *suspender, int64_t now_ms);

/* From now on watched sleeps end at once, those that are asleep included. */
void suspender_stop(struct suspender *suspender);

/* Number of connections asleep. */
size_t suspender_count(struct suspender *suspender);

/* The caller's reference is ended by suspension_end(). NULL when out of memory. `fd` is the
 * connection's socket. */
struct suspension *suspension_create(
    struct suspender *suspender, struct MHD_Connection *connection, int fd);

/* The request is over: later wakes do nothing. On the HTTP thread, before the connection is freed.
 */
void suspension_end(struct suspension *suspension);

struct suspension *suspension_ref(struct suspension *suspension);
void suspension_unref(struct suspension *suspension); /* takes NULL */

enum suspend_mode {
    SUSPEND_WATCHED,   /* also ended by `until_ms`, a disconnect and the server's stop */
    SUSPEND_UNWATCHED, /* only ended by suspension_release(): a thread works on the request */
};

/* Puts the connection to sleep; on the HTTP thread, inside a callback of this connection. Returns 1
 * when it sleeps: the callback then returns at once. Returns 0 when there is reason to go on: it
 * was woken since the last call, or (watched) the client is gone, the server stops or until_ms has
 * passed. until_ms: clock_monotonic_ms(), INT64_MAX for never. */
int suspension_sleep(struct suspension *suspension, enum suspend_mode mode, int64_t until_ms);

/* Any thread, any time while a reference is held: the next, or the present, watched sleep ends. An
 * unwatched one goes on: resumed, the connection could be found closed and its request freed under
 * the thread that works on it. */
void suspension_wake(struct suspension *suspension);

/* The same for both modes, by the thread that worked on the request, when it is done with it. */
void suspension_release(struct suspension *suspension);

int suspension_is_gone(struct suspension *suspension);     /* the client has closed */
int suspension_is_stopping(struct suspension *suspension); /* suspender_stop() was called */

#endif
