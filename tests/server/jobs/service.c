/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/server/jobs/service.h"

#include <math.h>

#include <jansson.h>

#include "base/cleanup.h"
int set_up(void **state, int in_memory)
{
    struct fixture *f = calloc(1, sizeof *f);
    folder_create(&f->folder);
    f->in_memory = in_memory;
    f->jobs = open_jobs(&f->folder, in_memory);
    *state = f;
    return 0;
}

int set_up_file(void **state)
{
    return set_up(state, 0);
}

int set_up_memory(void **state)
{
    return set_up(state, 1);
}

int tear_down(void **state)
{
    struct fixture *f = *state;
    jobs_destroy(f->jobs);
    folder_remove(&f->folder);
    free(f);
    return 0;
}

void submit_text(struct fixture *f, const char *instruction, char ret_id[ID_SIZE])
{
    struct jobs_spec spec = make_spec(instruction);
    submit(f->jobs, &spec, ret_id);
}

/* Takes the next job, which must be this one (or none when NULL); its attempt. */
int64_t take(struct fixture *f, const char *id)
{
    struct job *job = NULL;
    assert_ok(jobs_take(f->jobs, &job, &f->err), &f->err);
    if (!id) {
        assert_null(job);
        return 0;
    }
    assert_non_null(job);
    assert_string_equal(job->id, id);
    int64_t attempt = job->attempts;
    job_unref(job);
    return attempt;
}

const struct jobs_outcome success = {.status = JOB_SUCCEEDED,
    .format = "png",
    .width = 3,
    .height = 2,
    .encode_ms = 1,
    .sample_ms = 2,
    .decode_ms = 3,
    .bytes = "result",
    .size = 6};

void finish(struct fixture *f, const char *id, int64_t attempt)
{
    assert_ok(jobs_report_outcome(f->jobs, id, attempt, &success, &f->err), &f->err);
}

void report_step(struct fixture *f, const char *id, int64_t attempt, int64_t step)
{
    struct jobs_step what = {.step = step,
        .steps = 4,
        .elapsed_ms = step * 10,
        .eta_ms = (4 - step) * 10,
        .sigma = 1.5,
        .guidance_loss = step % 2 ? NAN : 0.5};
    assert_ok(jobs_report_step(f->jobs, id, attempt, &what, &f->err), &f->err);
}

void no_wake(void *context)
{
    (void)context;
}

/* All events above after_id, as "1 queued, 2 started, …" and how it stopped. */
void assert_events(struct fixture *f, const char *id, int64_t after_id, const char *expected)
{
    static const char *const results[] = {"have", "pending", "end", "closed"};
    struct events_reader *reader = NULL;
    assert_ok(
        jobs_subscribe(f->jobs, NULL, id, after_id, no_wake, NULL, &reader, &f->err), &f->err);
    char text[1024] = "";
    struct event *event;
    enum events_result result;
    while ((result = events_next(reader, &event)) == EVENTS_HAVE) {
        snprintf(text + strlen(text), sizeof text - strlen(text), "%lld %s, ", (long long)event->id,
            event->name);
        json_error_t json_err;
        json_t *data = json_loadb(event->data, event->data_size, JSON_REJECT_DUPLICATES, &json_err);
        assert_non_null(data);
        assert_string_equal(json_string_value(json_object_get(data, "job")), id);
        assert_null(strchr(event->data, '\n'));
        json_decref(data);
        event_unref(event);
    }
    strcat(text, results[result]);
    events_unsubscribe(reader);
    assert_string_equal(text, expected);
}

void reopen(struct fixture *f, const struct jobs_options *changes)
{
    jobs_destroy(f->jobs);
    struct jobs_options options = *changes;
    options.data_dir = f->folder.path;
    options.in_memory = f->in_memory;
    f->jobs = NULL;
    assert_ok(jobs_create(&f->jobs, &options, &f->err), &f->err);
}
