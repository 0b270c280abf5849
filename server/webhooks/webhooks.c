/* SPDX-License-Identifier: Apache-2.0 */
/* A hook is in one of four states: following its job's events; due (at due_ms); being called; over.
 * The thread sleeps in curl_multi_poll(), which curl_multi_wakeup() ends: when a followed job has
 * news, when a hook is added, when the service stops.
 *
 * Locking: `mutex` guards `incoming`, `ending` and the stats; everything else belongs to the
 * thread. A hook's `woken` is atomic: events' callbacks set it from the hub's thread. */
#include "server/webhooks/webhooks.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "server/webhooks/address.h"
#include "server/webhooks/delivery.h"

enum {
    FIRST_RETRY_MS = 5000,
    RETRY_FACTOR = 4,
    RETRY_MAX_MS = 5 * 60 * 60 * 1000,
    IDLE_WAIT_MS = 60000,
};

struct hook {
    struct hook *next;
    struct webhooks *webhooks;
    char job[ID_SIZE];
    char id[ID_SIZE + 8]; /* "msg_<job>" */
    char *url;
    char trace[TRACE_SIZE];
    struct events_reader *reader;
    atomic_int woken;
    int has_ended; /* the job has */
    int64_t attempts;
    int64_t due_ms; /* of the next call */
    int is_called;  /* `delivery` is under way */
    int is_over;
    struct delivery delivery;
    struct buffer body;
};

struct webhooks {
    struct webhooks_options options;
    struct webhook_secret secret;
    int folder_fd;
    CURLM *multi;
    pthread_t thread;
    struct hook *hooks;
    int64_t calls;

    pthread_mutex_t mutex;
    struct hook *incoming;
    int ending;
    struct webhooks_stats stats;
};

static void wake_hook(void *context)
{
    struct hook *hook = context;
    atomic_store(&hook->woken, 1);
    curl_multi_wakeup(hook->webhooks->multi);
}

static struct hook *create_hook(struct webhooks *webhooks, const char *job)
{
    struct hook *hook = calloc(1, sizeof *hook);
    if (!hook)
        return NULL;
    hook->webhooks = webhooks;
    snprintf(hook->job, sizeof hook->job, "%s", job);
    snprintf(hook->id, sizeof hook->id, "msg_%s", job);
    atomic_init(&hook->woken, 1);
    return hook;
}

static void end_call(struct hook *hook)
{
    if (!hook->is_called)
        return;
    curl_multi_remove_handle(hook->webhooks->multi, hook->delivery.easy);
    delivery_finish(&hook->delivery);
    hook->is_called = 0;
    hook->webhooks->calls--;
}

static void destroy_hook(struct hook *hook)
{
    end_call(hook);
    events_unsubscribe(hook->reader);
    buffer_finish(&hook->body);
    free(hook->url);
    free(hook);
}

/* ---- markers ---- */

static int is_marked(const struct webhooks *webhooks, const char *job)
{
    return faccessat(webhooks->folder_fd, job, F_OK, 0) == 0;
}

static void mark(const struct webhooks *webhooks, const char *job)
{
    int fd = openat(webhooks->folder_fd, job, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0)
        close(fd);
}

static void count(struct webhooks *webhooks, int64_t *member)
{
    pthread_mutex_lock(&webhooks->mutex);
    (*member)++;
    pthread_mutex_unlock(&webhooks->mutex);
}

/* ---- following ---- */

/* The body is made once: what is told doesn't change between attempts. */
static enum pf_status make_body(struct hook *hook, const struct job *job, struct pf_error *err)
{
    char time[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(job->finished_ms, time);
    buffer_put_format(&hook->body,
        "{\"type\":\"job.%s\",\"timestamp\":\"%s\",\"data\":", job_status_name(job->status), time);
    job_put_json(&hook->body, job, NULL);
    buffer_put_text(&hook->body, "}");
    return buffer_status(&hook->body, err);
}

/* The job has ended: the call is due. A job that is gone needs none. */
static void job_ended(struct hook *hook)
{
    AUTO_JOB struct job *job = NULL;
    if (jobs_get(hook->webhooks->options.jobs, NULL, hook->job, &job, NULL) != PF_OK ||
        !job_is_terminal(job) || !job->webhook_url) {
        hook->is_over = 1;
        return;
    }
    hook->url = strdup(job->webhook_url);
    if (!hook->url || make_body(hook, job, NULL) != PF_OK)
        hook->is_over = 1;
    memcpy(hook->trace, job->trace, sizeof hook->trace);
    hook->has_ended = 1;
    hook->due_ms = clock_monotonic_ms();
    events_unsubscribe(hook->reader);
    hook->reader = NULL;
}

static void follow(struct hook *hook)
{
    struct event *event;
    atomic_store(&hook->woken, 0);
    if (!hook->reader && jobs_subscribe(hook->webhooks->options.jobs, NULL, hook->job, 0, wake_hook,
                             hook, &hook->reader, NULL) != PF_OK) {
        hook->is_over = 1;
        return;
    }
    for (;;) {
        enum events_result result = events_next(hook->reader, &event);
        if (result == EVENTS_PENDING)
            return;
        int is_terminal = result == EVENTS_END;
        if (result == EVENTS_HAVE) {
            is_terminal = event_is_terminal(event);
            event_unref(event);
        }
        if (result == EVENTS_CLOSED) /* removed, or the server stops */
            hook->is_over = 1;
        if (is_terminal)
            job_ended(hook);
        if (is_terminal || hook->is_over)
            return;
    }
}

/* ---- calling ---- */

static void tell(struct hook *hook, enum webhooks_notice_kind kind, const char *reason)
{
    const struct webhooks_options *options = &hook->webhooks->options;
    if (options->notice)
        options->notice(options->notice_context,
            &(struct webhooks_notice){
                .kind = kind, .job = hook->job, .reason = reason, .attempt = hook->attempts});
}

static void call_failed(struct hook *hook, int is_final, const char *reason)
{
    struct webhooks *webhooks = hook->webhooks;
    if (is_final || hook->attempts >= WEBHOOK_ATTEMPTS) {
        mark(webhooks, hook->job);
        hook->is_over = 1;
        count(webhooks, &webhooks->stats.failed);
        tell(hook, WEBHOOKS_NOTICE_FAILED, reason);
        return;
    }
    int64_t pause_ms = webhooks->options.first_retry_ms;
    for (int64_t i = 1; i < hook->attempts && pause_ms < RETRY_MAX_MS; i++)
        pause_ms *= RETRY_FACTOR;
    hook->due_ms = clock_monotonic_ms() + (pause_ms < RETRY_MAX_MS ? pause_ms : RETRY_MAX_MS);
    count(webhooks, &webhooks->stats.retried);
    tell(hook, WEBHOOKS_NOTICE_RETRY, reason);
}

static void start_call(struct hook *hook)
{
    struct webhooks *webhooks = hook->webhooks;
    struct pf_error err = PF_ERROR_INIT;
    hook->attempts++;
    if (delivery_init(&hook->delivery, hook->url, hook->id, &webhooks->secret, &hook->body,
            webhooks->options.allow_private, &err) != PF_OK) {
        call_failed(hook, 0, err.message);
        return;
    }
    if (delivery_add_trace(&hook->delivery, hook->trace, &err) != PF_OK) {
        delivery_finish(&hook->delivery);
        call_failed(hook, 0, err.message);
        return;
    }
    curl_easy_setopt(hook->delivery.easy, CURLOPT_PRIVATE, hook);
    if (curl_multi_add_handle(webhooks->multi, hook->delivery.easy) != CURLM_OK) {
        delivery_finish(&hook->delivery);
        call_failed(hook, 0, "out of memory");
        return;
    }
    hook->is_called = 1;
    webhooks->calls++;
}

/* Returns how many were done. */
static int finish_calls(struct webhooks *webhooks)
{
    int left, done = 0;
    CURLMsg *message;
    while ((message = curl_multi_info_read(webhooks->multi, &left)) != NULL) {
        struct hook *hook = NULL;
        char reason[PF_ERROR_MESSAGE_MAX];
        int is_final = 0;
        if (message->msg != CURLMSG_DONE)
            continue;
        CURLcode code = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &hook);
        int is_taken = delivery_succeeded(&hook->delivery, code, &is_final, reason, sizeof reason);
        end_call(hook);
        if (is_taken) {
            mark(webhooks, hook->job);
            hook->is_over = 1;
            count(webhooks, &webhooks->stats.delivered);
        } else {
            call_failed(hook, is_final, reason);
        }
        done++;
    }
    return done;
}

/* ---- the thread ---- */

/* Followed already, or done: a submission that was replayed, or found when the thread started. */
static int is_known(const struct webhooks *webhooks, const char *job)
{
    const struct hook *hook = webhooks->hooks;
    while (hook && strcmp(hook->job, job) != 0)
        hook = hook->next;
    return hook != NULL || is_marked(webhooks, job);
}

/* 0 when the service ends. */
static int take_incoming(struct webhooks *webhooks)
{
    pthread_mutex_lock(&webhooks->mutex);
    int goes_on = !webhooks->ending;
    while (webhooks->incoming) {
        struct hook *hook = webhooks->incoming;
        webhooks->incoming = hook->next;
        if (is_known(webhooks, hook->job)) {
            destroy_hook(hook);
            continue;
        }
        hook->next = webhooks->hooks;
        webhooks->hooks = hook;
        webhooks->stats.following++;
    }
    pthread_mutex_unlock(&webhooks->mutex);
    return goes_on;
}

static void drop_over(struct webhooks *webhooks)
{
    for (struct hook **at = &webhooks->hooks; *at;) {
        struct hook *hook = *at;
        if (!hook->is_over) {
            at = &hook->next;
            continue;
        }
        *at = hook->next;
        destroy_hook(hook);
        pthread_mutex_lock(&webhooks->mutex);
        webhooks->stats.following--;
        pthread_mutex_unlock(&webhooks->mutex);
    }
}

/* Moves every hook on; returns how long there is nothing to do. */
static int64_t advance(struct webhooks *webhooks)
{
    int64_t now_ms = clock_monotonic_ms(), wait_ms = IDLE_WAIT_MS;
    for (struct hook *hook = webhooks->hooks; hook; hook = hook->next) {
        if (!hook->has_ended && atomic_load(&hook->woken))
            follow(hook);
        if (hook->is_over || !hook->has_ended || hook->is_called)
            continue;
        if (hook->due_ms <= now_ms && webhooks->calls < WEBHOOK_CALLS_MAX)
            start_call(hook);
        else if (hook->due_ms - now_ms < wait_ms)
            wait_ms = hook->due_ms > now_ms ? hook->due_ms - now_ms : wait_ms;
    }
    return wait_ms;
}

/* Jobs of an earlier server whose call was not made. */
static void find_undone(struct webhooks *webhooks)
{
    char after[ID_SIZE] = "";
    struct jobs_page page;
    struct jobs_filter filter = {.status = -1, .limit = JOBS_PAGE_MAX};
    int has_more = 1;
    while (has_more && jobs_list(webhooks->options.jobs, &filter, &page, NULL) == PF_OK) {
        for (size_t i = 0; i < page.count; i++)
            if (page.items[i]->webhook_url && !is_marked(webhooks, page.items[i]->id))
                webhooks_follow(webhooks, page.items[i]->id);
        has_more = page.has_more && page.count > 0;
        if (has_more)
            memcpy(after, page.items[page.count - 1]->id, ID_SIZE);
        filter.after = after;
        jobs_page_finish(&page);
    }
}

/* Markers of jobs that have expired meanwhile. */
static void sweep_markers(struct webhooks *webhooks)
{
    int fd = openat(webhooks->folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *entry;
    while (dir && (entry = readdir(dir)) != NULL) {
        struct pf_error err = PF_ERROR_INIT;
        struct job *job = NULL;
        if (id_is_valid(entry->d_name) &&
            jobs_get(webhooks->options.jobs, NULL, entry->d_name, &job, &err) == PF_NOT_FOUND)
            unlinkat(webhooks->folder_fd, entry->d_name, 0);
        job_unref(job);
    }
    if (dir)
        closedir(dir);
}

static void *run_thread(void *context)
{
    struct webhooks *webhooks = context;
    sweep_markers(webhooks);
    find_undone(webhooks);
    while (take_incoming(webhooks)) {
        int running;
        int64_t wait_ms = advance(webhooks);
        curl_multi_perform(webhooks->multi, &running);
        if (finish_calls(webhooks) > 0)
            wait_ms = 0; /* they may be due again soon, or make room for others */
        drop_over(webhooks);
        pthread_mutex_lock(&webhooks->mutex);
        int has_news = webhooks->incoming != NULL || webhooks->ending;
        pthread_mutex_unlock(&webhooks->mutex);
        if (!has_news)
            curl_multi_poll(webhooks->multi, NULL, 0, (int)wait_ms, NULL);
    }
    return NULL;
}

/* ---- the service ---- */

static enum pf_status open_folder(struct webhooks *webhooks, struct pf_error *err)
{
    const char *folder = webhooks->options.folder;
    if (mkdir(folder, 0700) != 0 && errno != EEXIST)
        return pf_fail_errno(err, errno, "can't make '%.300s'", folder);
    webhooks->folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (webhooks->folder_fd < 0)
        return pf_fail_errno(err, errno, "can't open '%.300s'", folder);
    return PF_OK;
}

static void release(struct webhooks *webhooks)
{
    if (webhooks->multi)
        curl_multi_cleanup(webhooks->multi);
    if (webhooks->folder_fd >= 0)
        close(webhooks->folder_fd);
    pthread_mutex_destroy(&webhooks->mutex);
    free(webhooks);
}

static enum pf_status start(struct webhooks *webhooks, struct pf_error *err)
{
    PF_TRY(webhook_secret_parse(&webhooks->secret, webhooks->options.secret, err));
    webhooks->options.secret = NULL;
    PF_TRY(open_folder(webhooks, err));
    webhooks->options.folder = NULL;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0)
        return pf_fail(err, PF_INTERNAL, "webhooks: libcurl can't start");
    webhooks->multi = curl_multi_init();
    if (!webhooks->multi)
        return pf_fail(err, PF_NOMEM, "webhooks: out of memory");
    sigset_t all, kept;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &kept);
    int code = pthread_create(&webhooks->thread, NULL, run_thread, webhooks);
    pthread_sigmask(SIG_SETMASK, &kept, NULL);
    return code == 0 ? PF_OK : pf_fail_errno(err, code, "webhooks: can't start a thread");
}

enum pf_status webhooks_create(
    struct webhooks **ret_webhooks, const struct webhooks_options *options, struct pf_error *err)
{
    struct webhooks *webhooks = calloc(1, sizeof *webhooks);
    if (!webhooks)
        return pf_fail(err, PF_NOMEM, "webhooks: out of memory");
    webhooks->options = *options;
    webhooks->folder_fd = -1;
    if (webhooks->options.first_retry_ms == 0)
        webhooks->options.first_retry_ms = FIRST_RETRY_MS;
    pthread_mutex_init(&webhooks->mutex, NULL);
    enum pf_status status = start(webhooks, err);
    if (status != PF_OK) {
        release(webhooks);
        return status;
    }
    *ret_webhooks = webhooks;
    return PF_OK;
}

void webhooks_destroy(struct webhooks *webhooks)
{
    if (!webhooks)
        return;
    pthread_mutex_lock(&webhooks->mutex);
    webhooks->ending = 1;
    pthread_mutex_unlock(&webhooks->mutex);
    curl_multi_wakeup(webhooks->multi);
    pthread_join(webhooks->thread, NULL);
    take_incoming(webhooks);
    while (webhooks->hooks) {
        struct hook *hook = webhooks->hooks;
        webhooks->hooks = hook->next;
        destroy_hook(hook);
    }
    release(webhooks);
}

enum pf_status webhooks_check_url(
    const struct webhooks *webhooks, const char *url, struct pf_error *err)
{
    return address_check_url(url, webhooks->options.allow_private, err);
}

void webhooks_follow(struct webhooks *webhooks, const char *job)
{
    struct hook *hook = create_hook(webhooks, job);
    if (!hook)
        return;
    pthread_mutex_lock(&webhooks->mutex);
    hook->next = webhooks->incoming;
    webhooks->incoming = hook;
    pthread_mutex_unlock(&webhooks->mutex);
    curl_multi_wakeup(webhooks->multi);
}

void webhooks_get_stats(struct webhooks *webhooks, struct webhooks_stats *ret_stats)
{
    pthread_mutex_lock(&webhooks->mutex);
    *ret_stats = webhooks->stats;
    pthread_mutex_unlock(&webhooks->mutex);
}
