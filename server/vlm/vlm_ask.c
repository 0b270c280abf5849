/* SPDX-License-Identifier: Apache-2.0 */
/* A job's way: its image file is digested, then each question looked up in the cache. If any is
 * left, the picture is made (a process, waited for by its pipe), and the questions are sent as
 * places get free. A failed attempt goes back to waiting with a time before which it isn't sent. */
#include "server/vlm/vlm_internal.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/id.h"
#include "server/vlm/prompt.h"
#include "server/vlm/retry.h"

enum { READ_SIZE = 64 << 10, REPORT_RETRY_MS = 1000 };

static void count(struct vlm *vlm, const struct vlm_stats *change)
{
    pthread_mutex_lock(&vlm->lock);
    vlm->stats.requests += change->requests;
    vlm->stats.answered += change->answered;
    vlm->stats.cached += change->cached;
    vlm->stats.retried += change->retried;
    vlm->stats.failed += change->failed;
    vlm->stats.jobs_done += change->jobs_done;
    vlm->stats.jobs_without += change->jobs_without;
    vlm->stats.jobs_failed += change->jobs_failed;
    vlm->stats.answer_sum_s += change->answer_sum_s;
    pthread_mutex_unlock(&vlm->lock);
}

/* ---- image and cache ---- */

static enum pf_status digest_image(
    int fd, unsigned char ret_digest[SHA256_SIZE], struct pf_error *err)
{
    struct sha256 sha;
    sha256_init(&sha);
    char bytes[READ_SIZE];
    ssize_t size;
    while ((size = read(fd, bytes, sizeof bytes)) > 0)
        sha256_update(&sha, bytes, (size_t)size);
    if (size < 0 || lseek(fd, 0, SEEK_SET) != 0)
        return pf_fail(err, PF_IO, "the image file can't be read");
    sha256_finish(&sha, ret_digest);
    return PF_OK;
}

/* Nothing can be asked: no question gets an answer. */
static void fail_picture(struct vlm *vlm, struct ask *ask, const struct pf_error *err)
{
    snprintf(ask->failure, sizeof ask->failure, "%.150s", err->message);
    vlm_notice(&vlm->options, VLM_NOTICE_FAILED, ask, "", err->message, "");
    for (size_t i = 0; i < ask->question_count; i++) {
        struct question *question = &ask->questions[i];
        if (question->state == QUESTION_ANSWERED)
            continue; /* from the cache */
        question->state = QUESTION_FAILED;
        snprintf(question->reason, sizeof question->reason, "not asked");
        count(vlm, &(struct vlm_stats){.failed = 1});
    }
    ask->stage = ASK_REPORT;
}

static void look_up(struct vlm *vlm, struct ask *ask, const unsigned char digest[SHA256_SIZE])
{
    for (size_t i = 0; i < ask->question_count; i++) {
        struct question *question = &ask->questions[i];
        cache_make_key(
            digest, vlm->options.model, question->text, vlm->options.image_side, &question->key);
        const char *answer = cache_get(&vlm->cache, &question->key);
        if (!answer)
            continue;
        buffer_put_text(&question->answer, answer);
        if (question->answer.status != PF_OK) {
            buffer_finish(&question->answer);
            continue; /* no memory: it is asked */
        }
        question->is_cached = 1;
        question->state = QUESTION_ANSWERED;
        count(vlm, &(struct vlm_stats){.cached = 1});
    }
}

void vlm_begin_ask(struct vlm *vlm, struct ask *ask)
{
    struct pf_error err = PF_ERROR_INIT;
    unsigned char digest[SHA256_SIZE];
    size_t size;
    if (jobs_open_image(vlm->options.jobs, ask->job, &ask->image_fd, &size, &err) != PF_OK ||
        digest_image(ask->image_fd, digest, &err) != PF_OK) {
        fail_picture(vlm, ask, &err);
        return;
    }
    look_up(vlm, ask, digest);
    ask->stage = ask_is_settled(ask) ? ASK_REPORT : ASK_WAITING;
}

/* ---- the picture ---- */

static void start_picture(struct vlm *vlm, struct ask *ask)
{
    struct pf_error err = PF_ERROR_INIT;
    struct thumbnail_options options = {.program = vlm->options.thumbnail_program,
        .side = vlm->options.image_side,
        .max_pixels = vlm->options.max_pixels};
    enum pf_status status = thumbnail_start(&ask->thumbnail, &options, ask->image_fd, &err);
    close(ask->image_fd);
    ask->image_fd = -1;
    if (status != PF_OK) {
        fail_picture(vlm, ask, &err);
        return;
    }
    vlm->thumbnail_count++;
    ask->stage = ASK_PICTURE;
}

static void pump_picture(struct vlm *vlm, struct ask *ask)
{
    struct pf_error err = PF_ERROR_INIT;
    int is_done = 0;
    enum pf_status status = thumbnail_pump(&ask->thumbnail, &is_done, &err);
    if (status == PF_OK && !is_done)
        return;
    vlm->thumbnail_count--;
    if (status == PF_OK) {
        buffer_put_text(&ask->data_url, "data:image/jpeg;base64,");
        buffer_put_base64(&ask->data_url, ask->thumbnail.out.data, ask->thumbnail.out.size);
        status = buffer_status(&ask->data_url, &err);
        thumbnail_stop(&ask->thumbnail);
    }
    if (status == PF_OK)
        ask->stage = ASK_QUESTIONS;
    else
        fail_picture(vlm, ask, &err);
}

/* ---- questions ---- */

static void fail_question(struct vlm *vlm, struct question *question, const char *detail)
{
    char message[160];
    question->state = QUESTION_FAILED;
    question->elapsed_ms = clock_monotonic_ms() - question->first_sent_ms;
    snprintf(message, sizeof message, "no answer after %lld attempts: %s",
        (long long)question->attempts, question->reason);
    vlm_notice(&vlm->options, VLM_NOTICE_FAILED, question->ask, question->name, message, detail);
    count(vlm, &(struct vlm_stats){.failed = 1});
}

static void send_question(struct vlm *vlm, struct question *question, int64_t now_ms)
{
    struct pf_error err = PF_ERROR_INIT;
    struct ask *ask = question->ask;
    AUTO_BUFFER struct buffer body = BUFFER_INIT;
    chat_put_request(
        &body, vlm->options.model, question->text, ask->data_url.data, ask->data_url.size);
    if (question->attempts++ == 0)
        question->first_sent_ms = now_ms;
    question->sent_ms = now_ms;
    enum pf_status status = exchange_set_trace(&question->exchange, ask->job->trace, &err);
    if (status == PF_OK)
        status =
            exchange_start(&question->exchange, vlm->multi, &vlm->endpoint, &body, question, &err);
    if (status != PF_OK) {
        exchange_end(&question->exchange, vlm->multi);
        snprintf(question->reason, sizeof question->reason, "%.90s", err.message);
        fail_question(vlm, question, "");
        return;
    }
    question->state = QUESTION_SENT;
    vlm->in_flight++;
    count(vlm, &(struct vlm_stats){.requests = 1});
}

static void send_questions(struct vlm *vlm, struct ask *ask)
{
    int64_t now_ms = clock_monotonic_ms();
    for (size_t i = 0; i < ask->question_count; i++) {
        struct question *question = &ask->questions[i];
        if (question->state == QUESTION_WAITING && question->due_ms <= now_ms &&
            vlm->in_flight < vlm->options.concurrency)
            send_question(vlm, question, now_ms);
    }
    if (ask_is_settled(ask))
        ask->stage = ASK_REPORT;
}

static void accept_answer(struct vlm *vlm, struct question *question)
{
    question->elapsed_ms = clock_monotonic_ms() - question->first_sent_ms;
    question->state = QUESTION_ANSWERED;
    cache_put(&vlm->cache, &question->key, question->answer.data);
    double seconds = (double)(clock_monotonic_ms() - question->sent_ms) / 1000.0;
    count(vlm, &(struct vlm_stats){.answered = 1, .answer_sum_s = seconds});
}

static void pause_question(
    struct vlm *vlm, struct question *question, const struct exchange_result *result)
{
    uint16_t random = 0;
    char message[160];
    /* Without random bytes the pause is merely less scattered. */
    (void)!id_random(&random, sizeof random, NULL);
    int64_t delay_ms = retry_delay_ms(question->attempts, result->retry_after_s, random);
    question->state = QUESTION_WAITING;
    question->due_ms = clock_monotonic_ms() + delay_ms;
    snprintf(message, sizeof message, "attempt %lld failed: %s; again in %lld ms",
        (long long)question->attempts, result->reason, (long long)delay_ms);
    vlm_notice(
        &vlm->options, VLM_NOTICE_RETRY, question->ask, question->name, message, result->detail);
    count(vlm, &(struct vlm_stats){.retried = 1});
}

void vlm_end_request(struct vlm *vlm, struct question *question, CURLcode code)
{
    struct exchange_result result;
    AUTO_BUFFER struct buffer raw = BUFFER_INIT;
    exchange_read(&question->exchange, &vlm->endpoint, code, &raw, &result);
    exchange_end(&question->exchange, vlm->multi);
    vlm->in_flight--;
    if (result.status == PF_OK) {
        vlm_put_plain(&question->answer, raw.data);
        if (question->answer.size > 0 && question->answer.status == PF_OK) {
            accept_answer(vlm, question);
            return;
        }
        /* Nothing but marks and thoughts, or no memory. */
        buffer_finish(&question->answer);
        question->answer.status = PF_OK;
        result.is_passing = 1;
        snprintf(result.reason, sizeof result.reason, "an answer without words");
    }
    if (result.is_passing && question->attempts <= vlm->options.retries) {
        pause_question(vlm, question, &result);
        return;
    }
    memcpy(question->reason, result.reason, sizeof question->reason);
    fail_question(vlm, question, result.detail);
}

/* ---- all of it ---- */

static int report(struct vlm *vlm, struct ask *ask)
{
    struct pf_error err = PF_ERROR_INIT;
    struct vlm_stats change;
    if (clock_monotonic_ms() < ask->report_due_ms)
        return 0;
    if (vlm_report(&change, &vlm->options, ask, &err) == PF_OK) {
        count(vlm, &change);
        return 1;
    }
    vlm_notice(&vlm->options, VLM_NOTICE_ERROR, ask, "", err.message, "");
    ask->report_due_ms = clock_monotonic_ms() + REPORT_RETRY_MS;
    return 0;
}

int vlm_advance_ask(struct vlm *vlm, struct ask *ask)
{
    if (ask->stage == ASK_WAITING && vlm->thumbnail_count < VLM_THUMBNAILS_MAX)
        start_picture(vlm, ask);
    if (ask->stage == ASK_PICTURE)
        pump_picture(vlm, ask);
    if (ask->stage == ASK_QUESTIONS)
        send_questions(vlm, ask);
    return ask->stage == ASK_REPORT && report(vlm, ask);
}

void vlm_abort_ask(struct vlm *vlm, struct ask *ask)
{
    for (size_t i = 0; i < ask->question_count; i++) {
        struct question *question = &ask->questions[i];
        if (question->state == QUESTION_SENT)
            vlm->in_flight--;
        exchange_end(&question->exchange, vlm->multi);
    }
    if (ask->stage == ASK_PICTURE)
        vlm->thumbnail_count--;
    thumbnail_stop(&ask->thumbnail);
}

int64_t vlm_ask_due_ms(const struct vlm *vlm, const struct ask *ask)
{
    int64_t due_ms = INT64_MAX;
    if (ask->stage == ASK_REPORT)
        return ask->report_due_ms;
    if (ask->stage == ASK_PICTURE)
        return ask->thumbnail.until_ms;
    /* Who waits for a place is looked at when one gets free. */
    if (ask->stage == ASK_WAITING || vlm->in_flight >= vlm->options.concurrency)
        return due_ms;
    for (size_t i = 0; i < ask->question_count; i++) {
        const struct question *question = &ask->questions[i];
        if (question->state == QUESTION_WAITING && question->due_ms < due_ms)
            due_ms = question->due_ms;
    }
    return due_ms;
}
