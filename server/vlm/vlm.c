/* SPDX-License-Identifier: Apache-2.0 */
/* The thread: one loop around curl_multi_poll(), which waits for requests, for the pipes of
 * pictures being made, and for a wake-up from the job service.
 *
 * At most `concurrency` jobs are taken in at a time, so what lies in memory is bounded by it; the
 * others wait in the job service, whose order counts until then. */
#include "server/vlm/vlm.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "server/vlm/vlm_internal.h"

enum { IDLE_MS = 60000 };

void vlm_notice(const struct vlm_options *options, enum vlm_notice_kind kind, const struct ask *ask,
    const char *question, const char *message, const char *detail)
{
    if (options->notice)
        options->notice(options->notice_context, &(struct vlm_notice){.kind = kind,
                                                     .job = ask->job->id,
                                                     .question = question,
                                                     .message = message,
                                                     .detail = detail});
}

/* ---- the turn ---- */

static void remove_ask(struct vlm *vlm, struct ask **link)
{
    struct ask *ask = *link;
    *link = ask->next;
    vlm->ask_count--;
    vlm_abort_ask(vlm, ask);
    ask_destroy(ask);
}

static void drop_unwanted(struct vlm *vlm)
{
    for (struct ask **link = &vlm->asks; *link;)
        if (jobs_is_question_current(vlm->options.jobs, (*link)->job->id))
            link = &(*link)->next;
        else
            remove_ask(vlm, link);
}

static void take_in(struct vlm *vlm)
{
    struct ask **end = &vlm->asks;
    while (*end)
        end = &(*end)->next;
    while (vlm->ask_count < (size_t)vlm->options.concurrency) {
        struct ask *ask = ask_create(vlm->options.questions);
        if (ask)
            ask->job = jobs_take_question(vlm->options.jobs);
        if (!ask || !ask->job) {
            ask_destroy(ask);
            return;
        }
        *end = ask;
        end = &ask->next;
        vlm->ask_count++;
        vlm_begin_ask(vlm, ask);
    }
}

/* Returns how many asks have got on: a place may be free for another. */
static size_t advance(struct vlm *vlm)
{
    size_t moved = 0;
    for (struct ask **link = &vlm->asks; *link;) {
        struct ask *ask = *link;
        enum ask_stage before = ask->stage;
        if (vlm_advance_ask(vlm, ask)) {
            remove_ask(vlm, link);
            moved++;
        } else {
            moved += ask->stage != before;
            link = &ask->next;
        }
    }
    return moved;
}

/* Returns how many requests have ended. */
static size_t perform(struct vlm *vlm)
{
    int running, left;
    size_t ended = 0;
    curl_multi_perform(vlm->multi, &running);
    const CURLMsg *message;
    while ((message = curl_multi_info_read(vlm->multi, &left)) != NULL) {
        if (message->msg != CURLMSG_DONE)
            continue;
        CURLcode code = message->data.result;
        char *question = NULL;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &question);
        vlm_end_request(vlm, (struct question *)(void *)question, code);
        ended++;
    }
    return ended;
}

static void wait_for_more(struct vlm *vlm)
{
    struct curl_waitfd fds[VLM_THUMBNAILS_MAX];
    unsigned fd_count = 0;
    int64_t now_ms = clock_monotonic_ms(), until_ms = now_ms + IDLE_MS;
    for (const struct ask *ask = vlm->asks; ask; ask = ask->next) {
        int64_t due_ms = vlm_ask_due_ms(vlm, ask);
        until_ms = due_ms < until_ms ? due_ms : until_ms;
        if (ask->stage == ASK_PICTURE)
            fds[fd_count++] =
                (struct curl_waitfd){.fd = ask->thumbnail.fd, .events = CURL_WAIT_POLLIN};
    }
    int timeout_ms = until_ms > now_ms ? (int)(until_ms - now_ms) : 0;
    curl_multi_poll(vlm->multi, fds, fd_count, timeout_ms, NULL);
}

static int tell_and_ask_to_stop(struct vlm *vlm)
{
    pthread_mutex_lock(&vlm->lock);
    vlm->stats.jobs_active = (int64_t)vlm->ask_count;
    vlm->stats.in_flight = vlm->in_flight;
    int is_stopping = vlm->is_stopping;
    pthread_mutex_unlock(&vlm->lock);
    return is_stopping;
}

static void *run(void *context)
{
    struct vlm *vlm = context;
    while (!tell_and_ask_to_stop(vlm)) {
        drop_unwanted(vlm);
        take_in(vlm);
        size_t moved = advance(vlm);
        moved += perform(vlm);
        if (moved == 0)
            wait_for_more(vlm);
    }
    while (vlm->asks)
        remove_ask(vlm, &vlm->asks);
    return NULL;
}

/* ---- start and end ---- */

static void wake(void *context)
{
    const struct vlm *vlm = context;
    curl_multi_wakeup(vlm->multi);
}

static enum pf_status check_options(const struct vlm_options *options, struct pf_error *err)
{
    int asks = 0;
    for (size_t i = 0; i < VLM_QUESTION_COUNT; i++)
        asks += options->questions[i] && *options->questions[i];
    if (asks == 0)
        return pf_fail(err, PF_INVALID, "no question for the vision-language model");
    if (!options->model || !*options->model)
        return pf_fail(err, PF_INVALID, "no name of the vision-language model");
    if (options->concurrency < 1 || options->timeout_ms < 1 || options->retries < 0 ||
        options->image_side < 1 || options->cache_entries < 0)
        return pf_fail(err, PF_INVALID,
            "vision-language model: concurrency %lld, timeout %lld ms, retries %lld, side %lld, "
            "cache %lld",
            (long long)options->concurrency, (long long)options->timeout_ms,
            (long long)options->retries, (long long)options->image_side,
            (long long)options->cache_entries);
    return PF_OK;
}

/* The options' texts become our own. */
static enum pf_status copy_texts(struct vlm *vlm, struct pf_error *err)
{
    const char **places[] = {&vlm->options.questions[VLM_DEFECT],
        &vlm->options.questions[VLM_SEMANTIC], &vlm->options.model,
        &vlm->options.thumbnail_program};
    _Static_assert(COUNT_OF(places) == COUNT_OF(vlm->texts), "one copy for each text");
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        vlm->texts[i] = strdup(*places[i] ? *places[i] : "");
        if (!vlm->texts[i])
            return pf_fail(err, PF_NOMEM, "no memory for the vision-language model's options");
        *places[i] = vlm->texts[i];
    }
    vlm->options.url = vlm->options.key = NULL;
    return PF_OK;
}

static enum pf_status set_up(
    struct vlm *vlm, const struct vlm_options *options, struct pf_error *err)
{
    PF_TRY(copy_texts(vlm, err));
    PF_TRY(endpoint_init(&vlm->endpoint, options->url, options->key, options->timeout_ms, err));
    PF_TRY(cache_init(&vlm->cache, (size_t)options->cache_entries, err));
    vlm->multi = curl_multi_init();
    return vlm->multi ? PF_OK : pf_fail(err, PF_NOMEM, "libcurl does not start");
}

static void free_vlm(struct vlm *vlm)
{
    if (vlm->multi)
        curl_multi_cleanup(vlm->multi);
    cache_finish(&vlm->cache);
    endpoint_finish(&vlm->endpoint);
    for (size_t i = 0; i < COUNT_OF(vlm->texts); i++)
        free(vlm->texts[i]);
    pthread_mutex_destroy(&vlm->lock);
    free(vlm);
    curl_global_cleanup();
}

enum pf_status vlm_create(
    struct vlm **ret_vlm, const struct vlm_options *options, struct pf_error *err)
{
    PF_TRY(check_options(options, err));
    struct vlm *vlm = calloc(1, sizeof *vlm);
    if (!vlm)
        return pf_fail(err, PF_NOMEM, "no memory for asking the vision-language model");
    vlm->options = *options;
    pthread_mutex_init(&vlm->lock, NULL);
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0) {
        pthread_mutex_destroy(&vlm->lock);
        free(vlm);
        return pf_fail(err, PF_INTERNAL, "libcurl does not start");
    }
    enum pf_status status = set_up(vlm, options, err);
    if (status == PF_OK) {
        jobs_set_question_wake(options->jobs, wake, vlm);
        int code = pthread_create(&vlm->thread, NULL, run, vlm);
        if (code != 0) {
            jobs_set_question_wake(options->jobs, NULL, NULL);
            status = pf_fail_errno(err, code, "no thread for the vision-language model");
        }
    }
    if (status != PF_OK) {
        free_vlm(vlm);
        return status;
    }
    *ret_vlm = vlm;
    return PF_OK;
}

void vlm_destroy(struct vlm *vlm)
{
    if (!vlm)
        return;
    pthread_mutex_lock(&vlm->lock);
    vlm->is_stopping = 1;
    pthread_mutex_unlock(&vlm->lock);
    wake(vlm);
    pthread_join(vlm->thread, NULL);
    jobs_set_question_wake(vlm->options.jobs, NULL, NULL);
    jobs_return_questions(vlm->options.jobs);
    free_vlm(vlm);
}

void vlm_get_stats(struct vlm *vlm, struct vlm_stats *ret_stats)
{
    pthread_mutex_lock(&vlm->lock);
    *ret_stats = vlm->stats;
    pthread_mutex_unlock(&vlm->lock);
}

enum pf_status vlm_give_up(const struct vlm_options *options, struct pf_error *err)
{
    static const char *const no_questions[VLM_QUESTION_COUNT] = {NULL, NULL};
    static const char reason[] = "this server has no vision-language model any more";
    struct vlm_options none = *options;
    none.model = NULL;
    for (;;) {
        struct ask *ask = ask_create(no_questions);
        if (!ask)
            return pf_fail(err, PF_NOMEM, "no memory for a job without auxiliary prompt");
        ask->job = jobs_take_question(options->jobs);
        if (!ask->job) {
            ask_destroy(ask);
            return PF_OK;
        }
        strcpy(ask->failure, reason);
        vlm_notice(&none, VLM_NOTICE_FAILED, ask, "", reason, "");
        struct vlm_stats ignored;
        enum pf_status status = vlm_report(&ignored, &none, ask, err);
        ask_destroy(ask);
        PF_TRY(status);
    }
}
