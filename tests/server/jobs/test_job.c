/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>

#include "server/jobs/estimate.h"
#include "tests/server/jobs/fixture.h"

static const char id[] = "0123456789abcdef0123456789abcdef";

static struct job *make_job(void)
{
    struct job *job = job_create();
    assert_non_null(job);
    memcpy(job->id, id, sizeof id);
    job->instruction = strdup("remove the \"haze\"\n\xf0\x9f\x8c\xab");
    params_init(&job->params);
    job->steps = 20;
    job->created_ms = INT64_C(1700000000123);
    return job;
}

static json_t *to_json(const struct job *job, const struct job_view *view)
{
    struct buffer text = BUFFER_INIT;
    job_put_json(&text, job, view);
    assert_int_equal(text.status, PF_OK);
    json_error_t json_err;
    json_t *json = json_loadb(text.data, text.size, JSON_REJECT_DUPLICATES, &json_err);
    if (!json)
        fail_msg("%s at %d: %s", json_err.text, json_err.position, text.data);
    assert_null(strchr(text.data, '\n'));
    buffer_finish(&text);
    return json;
}

/* The value at "a.b.0.c", as JSON text. */
static void assert_at(const json_t *json, const char *path, const char *expected)
{
    char name[64];
    const json_t *at = json;
    for (const char *part = path; at && *part; part += *part == '.') {
        size_t size = strcspn(part, ".");
        memcpy(name, part, size);
        name[size] = '\0';
        at = json_is_array(at) ? json_array_get(at, (size_t)atoi(name)) : json_object_get(at, name);
        part += size;
    }
    char *text = at ? json_dumps(at, JSON_ENCODE_ANY | JSON_COMPACT) : strdup("(absent)");
    if (strcmp(text, expected) != 0)
        fail_msg("%s is %s, expected %s", path, text, expected);
    free(text);
}

static void test_queued(void **state)
{
    (void)state;
    struct job *job = make_job();
    struct job_view view = {.queue_position = 3, .eta_ms = 900};
    json_t *json = to_json(job, &view);
    assert_at(json, "id", "\"0123456789abcdef0123456789abcdef\"");
    assert_at(json, "object", "\"job\"");
    assert_at(json, "status", "\"queued\"");
    assert_at(json, "priority", "\"interactive\"");
    assert_string_equal(json_string_value(json_object_get(json, "instruction")), job->instruction);
    assert_at(json, "auxiliary", "\"off\"");
    assert_at(json, "auxiliary_prompt", "null");
    assert_at(json, "model", "null");
    assert_at(json, "parameters.steps", "20");
    assert_at(json, "parameters.sampler", "\"euler_ancestral\"");
    assert_at(json, "queue_position", "3");
    assert_at(json, "attempts", "0");
    assert_at(json, "progress.step", "0");
    assert_at(json, "progress.steps", "20");
    assert_at(json, "progress.eta_ms", "900");
    assert_at(json, "timings.queued_ms", "null");
    assert_at(json, "timings.decode_ms", "null");
    assert_at(json, "created_at", "\"2023-11-14T22:13:20.123Z\"");
    assert_at(json, "started_at", "null");
    assert_at(json, "finished_at", "null");
    assert_at(json, "result", "null");
    assert_at(json, "error", "null");
    assert_at(json, "metadata", "null");
    assert_at(json, "urls.self", "\"/v1/jobs/0123456789abcdef0123456789abcdef\"");
    assert_at(json, "urls.events", "\"/v1/jobs/0123456789abcdef0123456789abcdef/events\"");
    assert_at(json, "urls.cancel", "\"/v1/jobs/0123456789abcdef0123456789abcdef/cancel\"");
    assert_at(json, "urls.result", "\"/v1/jobs/0123456789abcdef0123456789abcdef/result\"");
    json_decref(json);
    job_unref(job);
}

static void test_succeeded(void **state)
{
    (void)state;
    struct job *job = make_job();
    job->status = JOB_SUCCEEDED;
    job->priority = JOB_BATCH;
    job->metadata = strdup("{\"a\":[1,{\"b\":null}]}");
    job->timings = (struct job_timings){1, 2, 3, 4, 5};
    job->finished_ms = job->created_ms;
    strcpy(job->image_blob, "fedcba9876543210fedcba9876543210");
    strcpy(job->result.format, "webp");
    job->result.width = 640;
    job->result.bytes = INT64_C(5000000000);
    struct job_view view = {.queue_position = 3,
        .eta_ms = 900,
        .base_url = "https://example.org",
        .image_b64 = "QUJD",
        .image_b64_size = 4};
    json_t *json = to_json(job, &view);
    assert_at(json, "queue_position", "null");
    assert_at(json, "progress.eta_ms", "null");
    assert_at(json, "priority", "\"batch\"");
    assert_at(json, "metadata", "{\"a\":[1,{\"b\":null}]}");
    assert_at(json, "timings",
        "{\"queued_ms\":1,\"load_ms\":2,\"encode_ms\":3,\"sample_ms\":4,"
        "\"decode_ms\":5}");
    assert_at(json, "result.images.0.url",
        "\"https://example.org/v1/jobs/0123456789abcdef0123456789abcdef/result\"");
    assert_at(json, "result.images.0.format", "\"webp\"");
    assert_at(json, "result.images.0.width", "640");
    assert_at(json, "result.images.0.bytes", "5000000000");
    assert_at(json, "result.images.0.b64_json", "\"QUJD\"");
    json_decref(json);
    json = to_json(job, NULL);
    assert_at(json, "result.images.0.b64_json", "(absent)");
    assert_at(json, "expired", "false");
    json_decref(json);
    job->image_blob[0] = '\0';
    json = to_json(job, NULL);
    assert_at(json, "expired", "true");
    assert_at(json, "result", "null");
    json_decref(json);
    job_unref(job);
}

static void test_failed(void **state)
{
    (void)state;
    struct job *job = make_job();
    job->status = JOB_FAILED;
    strcpy(job->error.code, "invalid");
    strcpy(job->error.message, "the image is a \"cake\"");
    strcpy(job->error.field, "image");
    json_t *json = to_json(job, NULL);
    assert_at(json, "error",
        "{\"code\":\"invalid\",\"message\":\"the image is a \\\"cake\\\"\","
        "\"field\":\"image\"}");
    json_decref(json);
    /* What went wrong inside is nobody's business outside. */
    strcpy(job->error.code, "internal");
    strcpy(job->error.message, "assertion failed in /home/secret");
    job->error.field[0] = '\0';
    json = to_json(job, NULL);
    assert_null(strstr(
        json_string_value(json_object_get(json_object_get(json, "error"), "message")), "secret"));
    assert_at(json, "error.field", "null");
    json_decref(json);
    job_unref(job);
}

static void test_copies_are_apart(void **state)
{
    (void)state;
    struct job *job = make_job();
    struct job *copy = job_copy(job);
    assert_ptr_not_equal(job->instruction, copy->instruction);
    job_ref(job);
    job_unref(job);
    assert_string_equal(job->instruction, copy->instruction);
    job_unref(job);
    assert_string_equal(copy->id, id);
    job_unref(copy);
    job_unref(NULL);
}

static void test_names(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    for (int i = 0; i < JOB_STATUS_COUNT; i++) {
        enum job_status status;
        assert_ok(job_status_parse(job_status_name((enum job_status)i), &status, &err), &err);
        assert_int_equal(status, i);
    }
    enum job_priority priority = JOB_INTERACTIVE;
    assert_ok(job_priority_parse("batch", &priority, &err), &err);
    assert_int_equal(priority, JOB_BATCH);
    enum job_auxiliary auxiliary = JOB_AUXILIARY_OFF;
    assert_ok(job_auxiliary_parse("auto", &auxiliary, &err), &err);
    assert_int_equal(auxiliary, JOB_AUXILIARY_AUTO);
    assert_fails(job_priority_parse("urgent", &priority, &err), PF_INVALID,
        "priority is 'urgent', expected one of: interactive, batch", &err);
    assert_fails(job_auxiliary_parse("", &auxiliary, &err), PF_INVALID, "off, auto", &err);
}

static void test_estimates(void **state)
{
    (void)state;
    struct estimate estimate;
    estimate_init(&estimate);
    assert_int_equal(estimate_run_ms(&estimate, 20), -1);
    assert_int_equal(estimate_queued_ms(&estimate, 1, 1, 20), -1);
    for (int i = 0; i < 10; i++)
        estimate_add_step(&estimate, 100);
    assert_int_equal(estimate_run_ms(&estimate, 20), 2000);
    estimate_add_run(&estimate, 10, 1500); /* ten steps and half a second */
    assert_int_equal(estimate_run_ms(&estimate, 20), 2500);
    /* Two places ahead on two slots: one run of the usual length, then its own. */
    assert_int_equal(estimate_queued_ms(&estimate, 2, 2, 20), 1500 + 2500);
    for (int i = 0; i < 100; i++)
        estimate_add_step(&estimate, 200); /* it got slower */
    assert_in_range(estimate_run_ms(&estimate, 20), 4400, 4500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_queued),
        cmocka_unit_test(test_succeeded),
        cmocka_unit_test(test_failed),
        cmocka_unit_test(test_copies_are_apart),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_estimates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
