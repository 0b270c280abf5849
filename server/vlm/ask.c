/* SPDX-License-Identifier: Apache-2.0 */
#include "server/vlm/ask.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "server/vlm/prompt.h"

static const char *const question_names[VLM_QUESTION_COUNT] = {
    [VLM_DEFECT] = "defect", [VLM_SEMANTIC] = "semantic"};

struct ask *ask_create(const char *const questions[VLM_QUESTION_COUNT])
{
    struct ask *ask = calloc(1, sizeof *ask);
    if (!ask)
        return NULL;
    ask->asked_at_ms = clock_realtime_ms();
    ask->started_ms = clock_monotonic_ms();
    ask->image_fd = -1;
    ask->thumbnail = (struct thumbnail)THUMBNAIL_INIT;
    for (size_t i = 0; i < VLM_QUESTION_COUNT; i++)
        if (questions[i] && *questions[i])
            ask->questions[ask->question_count++] = (struct question){.name = question_names[i],
                .text = questions[i],
                .ask = ask,
                .exchange = EXCHANGE_INIT};
    return ask;
}

void ask_destroy(struct ask *ask)
{
    if (!ask)
        return;
    if (ask->image_fd >= 0)
        close(ask->image_fd);
    thumbnail_stop(&ask->thumbnail);
    buffer_finish(&ask->data_url);
    for (size_t i = 0; i < ask->question_count; i++)
        buffer_finish(&ask->questions[i].answer);
    job_unref(ask->job);
    free(ask);
}

int ask_is_settled(const struct ask *ask)
{
    for (size_t i = 0; i < ask->question_count; i++)
        if (ask->questions[i].state < QUESTION_ANSWERED)
            return 0;
    return 1;
}

int ask_is_answered(const struct ask *ask)
{
    for (size_t i = 0; i < ask->question_count; i++)
        if (ask->questions[i].state != QUESTION_ANSWERED)
            return 0;
    return ask->question_count > 0;
}

/* ---- the log ---- */

static void put_text(struct buffer *out, const char *name, const char *text)
{
    buffer_put_format(out, ",\"%s\":", name);
    if (text)
        buffer_put_json_string(out, text, strlen(text));
    else
        buffer_put_text(out, "null");
}

static void put_question(struct buffer *out, const struct question *question)
{
    int is_answered = question->state == QUESTION_ANSWERED;
    buffer_put_format(out, "{\"name\":\"%s\"", question->name);
    put_text(out, "question", question->text);
    put_text(out, "answer", is_answered ? question->answer.data : NULL);
    buffer_put_format(out, ",\"cached\":%s,\"attempts\":%lld,\"elapsed_ms\":%lld",
        question->is_cached ? "true" : "false", (long long)question->attempts,
        (long long)question->elapsed_ms);
    put_text(out, "error", question->state == QUESTION_FAILED ? question->reason : NULL);
    buffer_put_text(out, "}");
}

static const char *outcome_of(const struct ask *ask)
{
    size_t answered = 0;
    for (size_t i = 0; i < ask->question_count; i++)
        answered += ask->questions[i].state == QUESTION_ANSWERED;
    if (answered == 0)
        return "failed";
    return answered == ask->question_count ? "answered" : "partial";
}

void ask_put_log(struct buffer *out, const struct ask *ask, const char *model)
{
    char asked_at[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(ask->asked_at_ms, asked_at);
    buffer_put_format(out, "{\"outcome\":\"%s\"", outcome_of(ask));
    put_text(out, "model", model);
    put_text(out, "asked_at", asked_at);
    buffer_put_format(
        out, ",\"elapsed_ms\":%lld", (long long)(clock_monotonic_ms() - ask->started_ms));
    buffer_put_text(out, ",\"questions\":[");
    for (size_t i = 0; i < ask->question_count; i++) {
        if (i > 0)
            buffer_put_text(out, ",");
        put_question(out, &ask->questions[i]);
    }
    buffer_put_text(out, "]");
    put_text(out, "error", ask->failure[0] ? ask->failure : NULL);
    buffer_put_text(out, "}");
}

/* ---- prompt and failure ---- */

static const char *answer_to(const struct ask *ask, enum vlm_question which)
{
    for (size_t i = 0; i < ask->question_count; i++) {
        const struct question *question = &ask->questions[i];
        if (question->name == question_names[which] && question->state == QUESTION_ANSWERED)
            return question->answer.data;
    }
    return NULL;
}

void ask_put_prompt(struct buffer *out, const struct ask *ask)
{
    vlm_put_prompt(out, answer_to(ask, VLM_DEFECT), answer_to(ask, VLM_SEMANTIC));
}

void ask_put_failure(struct buffer *out, const struct ask *ask)
{
    if (ask->failure[0]) {
        buffer_put_format(out, "the picture could not be described: %s", ask->failure);
        return;
    }
    buffer_put_text(out, "the vision-language model did not answer");
    const char *separator = " (";
    for (size_t i = 0; i < ask->question_count; i++) {
        const struct question *question = &ask->questions[i];
        if (question->state != QUESTION_FAILED)
            continue;
        buffer_put_format(out, "%s%s: %s, after %lld attempts", separator, question->name,
            question->reason, (long long)question->attempts);
        separator = "; ";
    }
    buffer_put_text(out, ")");
}
