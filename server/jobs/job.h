/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_JOBS_JOB_H
#define SERVER_JOBS_JOB_H

/* One job as it stood at one moment. A job handed out is a snapshot: never changed again, counted
 * by references, readable from any thread without a lock. A transition makes a changed copy. */

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/id.h"
#include "base/params.h"
#include "base/trace.h"

enum job_status { JOB_QUEUED, JOB_RUNNING, JOB_SUCCEEDED, JOB_FAILED, JOB_CANCELLED };
enum job_priority { JOB_INTERACTIVE, JOB_BATCH };
enum job_auxiliary { JOB_AUXILIARY_OFF, JOB_AUXILIARY_AUTO };

enum {
    JOB_STATUS_COUNT = JOB_CANCELLED + 1,
    JOB_PRIORITY_COUNT = JOB_BATCH + 1,
    JOB_OWNER_SIZE = 64,       /* key id with its NUL; "" when the server asks for no key */
    JOB_CODE_SIZE = 32,        /* error code with its NUL */
    JOB_FIELD_SIZE = 64,       /* name of the field an error is about */
    JOB_FORMAT_SIZE = 8,       /* "png", "jpeg", "webp" */
    JOB_FINGERPRINT_SIZE = 65, /* SHA-256 in hex and a NUL */
};

/* Whole milliseconds; -1 where not known (yet). */
struct job_timings {
    int64_t queued_ms; /* creation to the latest start */
    int64_t load_ms;
    int64_t encode_ms;
    int64_t sample_ms;
    int64_t decode_ms;
};

struct job {
    int refs; /* see job_ref(); atomic */
    char id[ID_SIZE];
    char batch[ID_SIZE];        /* "" when in no batch */
    char owner[JOB_OWNER_SIZE]; /* id of the API key, never the key itself */
    enum job_status status;
    enum job_priority priority;

    char *instruction; /* UTF-8, may be "" */
    enum job_auxiliary auxiliary;
    char *auxiliary_prompt; /* given, or answered by the vision-language model; NULL: none (yet) */
    char *auxiliary_log;    /* JSON text: what was asked and answered; NULL: nothing asked */
    char *model;            /* name the job was accepted for */
    struct params params;
    char *metadata;         /* JSON object text, returned as is; NULL: none */
    char *webhook_url;      /* NULL: none */
    char trace[TRACE_SIZE]; /* of the request it came by; see trace.h; "" none */

    char *idempotency_key; /* NULL: none; unique for an owner while it is kept */
    char fingerprint[JOB_FINGERPRINT_SIZE];

    int64_t attempts;    /* started so far: 0 while never run */
    int64_t step, steps; /* progress of the running attempt; steps is params.steps before it runs */
    int64_t eta_ms;      /* worker's estimate to its end; -1 unknown */
    struct job_timings timings;

    int64_t created_ms;  /* Unix time */
    int64_t started_ms;  /* latest start; 0 never */
    int64_t finished_ms; /* 0 not yet */
    int64_t expires_ms;  /* when the blobs go, then the row; 0 while not finished */

    char image_blob[ID_SIZE];  /* input; "" once removed */
    char mask_blob[ID_SIZE];   /* "" when none was given */
    char result_blob[ID_SIZE]; /* "" unless succeeded */
    int64_t image_bytes, mask_bytes;
    struct {
        char format[JOB_FORMAT_SIZE];
        int64_t width, height, bytes;
    } result; /* JOB_SUCCEEDED */
    struct {
        char code[JOB_CODE_SIZE];   /* pf_status_name(), or "worker_died", "timeout" */
        char field[JOB_FIELD_SIZE]; /* "" when about no field */
        char message[PF_ERROR_MESSAGE_MAX];
    } error; /* JOB_FAILED */

    int64_t event_id; /* highest event id used or set aside for this job; see events.h */
    int64_t sequence; /* order of acceptance, 1, 2, …: the cursor of lists */
};

#define AUTO_JOB __attribute__((cleanup(job_cleanup)))

/* A zeroed job with one reference, timings -1. NULL when out of memory. */
struct job *job_create(void);
/* A deep copy with one reference, to be changed before it is handed out. NULL when out of memory.
 */
struct job *job_copy(const struct job *job);
struct job *job_ref(struct job *job);
void job_unref(struct job *job); /* takes NULL */
void job_cleanup(struct job **job);

int job_is_terminal(const struct job *job);

/* Ended, and its input and result are removed; the job itself is still known for a while. */
int job_is_expired(const struct job *job);

/* Queued, and must not run before a vision-language model was asked: auxiliary "auto", no prompt
 * given, nothing asked yet. What was asked, or why it goes without, is in auxiliary_log. */
int job_wants_auxiliary(const struct job *job);

/* "queued", "running", "succeeded", "failed", "cancelled"; "interactive", "batch"; "off", "auto".
 */
const char *job_status_name(enum job_status status);
const char *job_priority_name(enum job_priority priority);
const char *job_auxiliary_name(enum job_auxiliary auxiliary);
/* PF_INVALID names the text and the choices. */
PF_MUST_CHECK enum pf_status job_status_parse(
    const char *text, enum job_status *ret_status, struct pf_error *err);
PF_MUST_CHECK enum pf_status job_priority_parse(
    const char *text, enum job_priority *ret_priority, struct pf_error *err);
PF_MUST_CHECK enum pf_status job_auxiliary_parse(
    const char *text, enum job_auxiliary *ret_auxiliary, struct pf_error *err);

/* What a job's JSON needs beside the job. */
struct job_view {
    int64_t queue_position; /* 1 = next; 0: not queued, written as null */
    int64_t eta_ms;         /* to the end of the job; -1 unknown; the job's own when it runs */
    const char *base_url;   /* "https://host" before the paths; NULL: paths alone */
    const char *image_b64;  /* result as base64 (?include=image); NULL: left out */
    size_t image_b64_size;
};

/* Writes the job object of the API; view NULL: relative URLs, no position, no estimate, no image.
 * error.message of code "internal" is replaced by a general text.
 */
void job_put_json(struct buffer *out, const struct job *job, const struct job_view *view);

#endif
