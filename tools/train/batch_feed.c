/* SPDX-License-Identifier: Apache-2.0 */
/* A thread that keeps a short line of batches filled.
 * Locking: `mutex` guards the ring, the error and `stopping`; batches are made outside of it. */
#include <pthread.h>
#include <stdlib.h>

#include "tools/train/batch.h"

enum { AHEAD = 2 };

struct batch_feed {
    struct batch_options options;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct batch *ring[AHEAD];
    int64_t made, taken; /* steps since `first` */
    int64_t first;
    int stopping;
    struct pf_error failure;
};

/* Waits for a free place; 0 when the feed ends. */
static int wait_for_place(struct batch_feed *feed)
{
    pthread_mutex_lock(&feed->mutex);
    while (!feed->stopping && feed->made - feed->taken == AHEAD)
        pthread_cond_wait(&feed->changed, &feed->mutex);
    int go_on = !feed->stopping;
    pthread_mutex_unlock(&feed->mutex);
    return go_on;
}

static void *make_batches(void *context)
{
    struct batch_feed *feed = context;
    enum pf_status status = PF_OK;
    while (status == PF_OK && wait_for_place(feed)) {
        struct pf_error err = PF_ERROR_INIT;
        struct batch *batch = NULL;
        status = batch_make(&feed->options, feed->first + feed->made, &batch, &err);
        pthread_mutex_lock(&feed->mutex);
        feed->failure = err;
        feed->ring[feed->made % AHEAD] = batch;
        feed->made += status == PF_OK;
        pthread_cond_broadcast(&feed->changed);
        pthread_mutex_unlock(&feed->mutex);
    }
    return NULL;
}

enum pf_status batch_feed_create(struct batch_feed **ret_feed, const struct batch_options *options,
    int64_t first, struct pf_error *err)
{
    struct batch_feed *feed = calloc(1, sizeof *feed);
    if (!feed)
        return pf_fail(err, PF_NOMEM, "the feed of batches");
    feed->options = *options;
    feed->first = first;
    feed->failure = (struct pf_error)PF_ERROR_INIT;
    pthread_mutex_init(&feed->mutex, NULL);
    pthread_cond_init(&feed->changed, NULL);
    if (pthread_create(&feed->thread, NULL, make_batches, feed) != 0) {
        pthread_cond_destroy(&feed->changed);
        pthread_mutex_destroy(&feed->mutex);
        free(feed);
        return pf_fail(err, PF_NOMEM, "a thread for batches");
    }
    *ret_feed = feed;
    return PF_OK;
}

void batch_feed_destroy(struct batch_feed *feed)
{
    if (!feed)
        return;
    pthread_mutex_lock(&feed->mutex);
    feed->stopping = 1;
    pthread_cond_broadcast(&feed->changed);
    pthread_mutex_unlock(&feed->mutex);
    pthread_join(feed->thread, NULL);
    for (; feed->taken < feed->made; feed->taken++)
        batch_destroy(feed->ring[feed->taken % AHEAD]);
    pthread_cond_destroy(&feed->changed);
    pthread_mutex_destroy(&feed->mutex);
    free(feed);
}

enum pf_status batch_feed_next(
    struct batch_feed *feed, struct batch **ret_batch, struct pf_error *err)
{
    pthread_mutex_lock(&feed->mutex);
    while (feed->taken == feed->made && feed->failure.status == PF_OK)
        pthread_cond_wait(&feed->changed, &feed->mutex);
    struct batch *batch = NULL;
    if (feed->taken < feed->made)
        batch = feed->ring[feed->taken++ % AHEAD];
    else
        pf_fail(err, feed->failure.status, "%s", feed->failure.message);
    pthread_cond_broadcast(&feed->changed);
    pthread_mutex_unlock(&feed->mutex);
    if (!batch)
        return err->status;
    *ret_batch = batch;
    return PF_OK;
}
