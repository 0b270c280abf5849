/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_VLM_VLM_H
#define SERVER_VLM_VLM_H

/* Auxiliary prompts by a vision-language model behind any OpenAI-compatible chat endpoint. A job
 * with auxiliary "auto" waits in the queue (jobs.h) until two questions about its picture are
 * answered; no worker, no device and no HTTP handler waits with it. One thread of its own does all
 * of it: takes jobs, has their picture scaled, asks, asks again, joins the answers, reports.
 *
 *   picture   scaled to image_side, upright, sRGB, JPEG without metadata (thumbnail.h): small, read
 *             by every server, and a photo's position doesn't leave the house
 *   asking    the questions of a job at the same time; at most `concurrency` requests in all
 *   failing   an attempt that may pass is repeated `retries` times, with a pause that doubles or
 * the one the server asks for; then on_failure decides caching   by image file, model, question and
 * side, so a picture that comes again costs nothing
 *
 * Nothing is kept but in the job: a server that is killed meanwhile asks again. */

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "server/jobs/jobs.h"

struct vlm;

/* In the order of the prompt: what is wrong, then what is there. */
enum vlm_question { VLM_DEFECT, VLM_SEMANTIC, VLM_QUESTION_COUNT };

/* When a question has no answer: the job fails, or goes on with what was answered. One that would
 * be left without any text at all (no instruction either) fails in any case. */
enum vlm_on_failure { VLM_ON_FAILURE_FAIL, VLM_ON_FAILURE_CONTINUE };

/* Something the edge should log. Called on the thread, under no lock. */
enum vlm_notice_kind {
    VLM_NOTICE_RETRY,  /* an attempt failed, another follows */
    VLM_NOTICE_FAILED, /* a question or a picture, for good */
    VLM_NOTICE_ERROR,  /* the job couldn't be written; it is tried again */
};
struct vlm_notice {
    enum vlm_notice_kind kind;
    const char *job;      /* id */
    const char *question; /* "defect", "semantic"; "" the picture or the job */
    const char *message;
    const char *detail; /* what the model's server said; "" nothing */
};

struct vlm_options {
    struct jobs *jobs; /* borrowed; outlives the rest */
    const char *url;   /* "http://host/v1" */
    const char *model;
    const char *key;                           /* bearer token, or NULL */
    const char *questions[VLM_QUESTION_COUNT]; /* "": not asked */
    int64_t timeout_ms;                        /* of one attempt */
    int64_t retries;
    int64_t concurrency; /* requests at a time */
    int64_t image_side;
    int64_t max_pixels; /* of an image file */
    int64_t cache_entries;
    enum vlm_on_failure on_failure;
    const char *thumbnail_program; /* path of promptfix-thumbnail */
    void (*notice)(void *context, const struct vlm_notice *notice); /* or NULL */
    void *notice_context;
};

/* error.code of a job that failed for want of an answer. */
#define VLM_FAILURE_CODE "auxiliary_failed"

enum { VLM_THUMBNAILS_MAX = 2, VLM_KEY_BYTES_MAX = 4096 };

/* Starts the thread; texts are copied. PF_INVALID: an option; PF_NOMEM, PF_IO. */
PF_MUST_CHECK enum pf_status vlm_create(
    struct vlm **ret_vlm, const struct vlm_options *options, struct pf_error *err);

/* Stops in the middle of whatever it does; jobs not answered stay queued, for another one to ask
 * about. Takes NULL. */
void vlm_destroy(struct vlm *vlm);

struct vlm_stats {
    int64_t requests;                /* sent */
    int64_t answered, cached;        /* questions */
    int64_t retried, failed;         /* attempts repeated; questions without an answer */
    int64_t jobs_done, jobs_without; /* with all answers; gone on without some */
    int64_t jobs_failed;
    int64_t jobs_active, in_flight; /* now */
    double answer_sum_s;            /* of requests that were answered */
};
void vlm_get_stats(struct vlm *vlm, struct vlm_stats *ret_stats);

/* For a server without a model: jobs that an earlier start of it accepted and left waiting end as
 * on_failure says. Uses jobs, on_failure and notice alone. PF_IO: not all could be written. */
PF_MUST_CHECK enum pf_status vlm_give_up(const struct vlm_options *options, struct pf_error *err);

#endif
