/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_VLM_ASK_H
#define SERVER_VLM_ASK_H

/* One job while it is asked about: what was asked, what came, and what is told in the end. */

#include "base/buffer.h"
#include "server/vlm/cache.h"
#include "server/vlm/exchange.h"
#include "server/vlm/thumbnail.h"
#include "server/vlm/vlm.h"

enum question_state {
    QUESTION_WAITING, /* for its picture, a place, or the end of a pause */
    QUESTION_SENT,
    QUESTION_ANSWERED,
    QUESTION_FAILED,
};

struct question {
    const char *name;
    const char *text; /* borrowed */
    enum question_state state;
    struct ask *ask;
    struct cache_key key;
    int is_cached;
    struct exchange exchange;
    int64_t attempts;
    int64_t due_ms;                 /* monotonic: not sent before */
    int64_t first_sent_ms, sent_ms; /* monotonic, of the first and the latest attempt */
    int64_t elapsed_ms;             /* from the first attempt to the end */
    struct buffer answer;           /* plain text */
    char reason[96];                /* QUESTION_FAILED */
};

enum ask_stage {
    ASK_WAITING,   /* for a place to have its picture made */
    ASK_PICTURE,   /* it is being made */
    ASK_QUESTIONS, /* the questions are asked */
    ASK_REPORT,    /* all is known; to be written into the job */
};

struct ask {
    struct ask *next;
    struct job *job; /* a reference; NULL before one is taken */
    enum ask_stage stage;
    int64_t asked_at_ms; /* Unix time */
    int64_t started_ms;  /* monotonic */
    int image_fd;        /* until the picture is being made; -1 */
    struct thumbnail thumbnail;
    struct buffer data_url;
    struct question questions[VLM_QUESTION_COUNT]; /* those that are asked */
    size_t question_count;
    char failure[160]; /* why nothing could be asked; "" */
    int64_t report_due_ms;
};

/* Without a job yet. questions: their texts, "" or NULL for one that isn't asked. NULL: no memory.
 */
struct ask *ask_create(const char *const questions[VLM_QUESTION_COUNT]);
/* Nothing of it may be under way in a multi handle (exchange_end()). Takes NULL. */
void ask_destroy(struct ask *ask);

/* 1 when every question is answered or has failed. */
int ask_is_settled(const struct ask *ask);
/* 1 when every question is answered. */
int ask_is_answered(const struct ask *ask);

/* Writes the auxiliary_log object. model: NULL when the server has none. */
void ask_put_log(struct buffer *out, const struct ask *ask, const char *model);

/* Writes the auxiliary prompt of what was answered. */
void ask_put_prompt(struct buffer *out, const struct ask *ask);

/* Why something is missing: one line. */
void ask_put_failure(struct buffer *out, const struct ask *ask);

#endif
