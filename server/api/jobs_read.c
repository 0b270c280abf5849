/* SPDX-License-Identifier: Apache-2.0 */
/* GET /v1/jobs, /v1/jobs/{id}, /v1/jobs/{id}/result. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "server/api/handlers.h"
#include "server/http/log.h"

void api_fail_jobs(struct http_request *request, struct api *api, const struct pf_error *error)
{
    if (error->status == PF_IO) {
        /* Disk full or broken: the client may come back, the reason is for the log. */
        log_line(LOG_LEVEL_ERROR, error->message, LOG_TEXT("request_id", http_request_id(request)));
        http_add_header(request, "Retry-After", API_DISK_RETRY_AFTER_S);
        http_fail(request, PROBLEM_UNAVAILABLE, NULL, "the server's disk is full or broken");
        return;
    }
    if (error->status == PF_BUSY) {
        char seconds[24];
        snprintf(seconds, sizeof seconds, "%lld", (long long)jobs_retry_after_s(api->jobs));
        http_add_header(request, "Retry-After", seconds);
        if (jobs_is_draining(api->jobs)) {
            http_fail(request, PROBLEM_UNAVAILABLE, NULL, "%s", error->message);
            return;
        }
    }
    http_fail_error(request, NULL, error);
}

void api_fail_result(
    struct http_request *request, struct api *api, const char *id, const struct pf_error *error)
{
    AUTO_JOB struct job *job = NULL;
    if (error->status == PF_NOT_FOUND &&
        jobs_get(api->jobs, http_owner(request), id, &job, NULL) == PF_OK && job_is_expired(job))
        http_fail(request, PROBLEM_EXPIRED, NULL, "the result of job %s has expired", id);
    else
        api_fail_jobs(request, api, error);
}

int api_read_include(struct http_request *request, int *ret_include_image)
{
    struct pf_error err = PF_ERROR_INIT;
    const char *include = http_query(request, "include");
    *ret_include_image = 0;
    if (http_check_query(request, (const char *const[]){"include", NULL}, &err) != PF_OK) {
        http_fail_error(request, NULL, &err);
        return 0;
    }
    if (include && strcmp(include, "image") != 0) {
        http_fail(
            request, PROBLEM_INVALID, "include", "include is '%.64s', expected image", include);
        return 0;
    }
    *ret_include_image = include != NULL;
    return 1;
}

static enum pf_status read_result(
    struct buffer *out, struct api *api, const struct job *job, struct pf_error *err)
{
    AUTO_FD int fd = -1;
    PF_TRY(jobs_open_result(api->jobs, job->owner, job->id, &fd, NULL, err));
    char *bytes = buffer_reserve(out, (size_t)job->result.bytes);
    int is_end = 0;
    PF_TRY(buffer_status(out, err));
    PF_TRY(file_read_full(fd, bytes, (size_t)job->result.bytes, &is_end, err));
    out->size += is_end ? 0 : (size_t)job->result.bytes;
    return PF_OK;
}

enum pf_status api_put_result(
    struct buffer *out, struct api *api, const struct job *job, struct pf_error *err)
{
    AUTO_BUFFER struct buffer bytes = BUFFER_INIT;
    PF_TRY(read_result(&bytes, api, job, err));
    buffer_put_base64(out, bytes.data, bytes.size);
    return buffer_status(out, err);
}

enum pf_status api_put_job(struct buffer *out, struct api *api, const struct job *job,
    int include_image, struct pf_error *err)
{
    AUTO_BUFFER struct buffer base64 = BUFFER_INIT;
    struct job_view view;
    jobs_get_view(api->jobs, job, &view);
    if (include_image && job->status == JOB_SUCCEEDED) {
        PF_TRY(api_put_result(&base64, api, job, err));
        view.image_b64 = base64.data;
        view.image_b64_size = base64.size;
    }
    job_put_json(out, job, &view);
    return buffer_status(out, err);
}

/* Server-Timing: the job's own times, as far as they are known. */
static void add_timing(struct http_request *request, const struct job *job)
{
    const struct {
        const char *name;
        int64_t ms;
    } times[] = {{"queued", job->timings.queued_ms}, {"load", job->timings.load_ms},
        {"encode", job->timings.encode_ms}, {"sample", job->timings.sample_ms},
        {"decode", job->timings.decode_ms}};
    char text[256] = "";
    for (size_t i = 0; i < COUNT_OF(times); i++) {
        size_t used = strlen(text);
        if (times[i].ms >= 0)
            snprintf(text + used, sizeof text - used, "%s%s;dur=%lld", used ? ", " : "",
                times[i].name, (long long)times[i].ms);
    }
    if (text[0])
        http_add_header(request, "Server-Timing", text);
}

void api_respond_job(struct http_request *request, struct api *api, int status,
    const struct job *job, int include_image)
{
    struct pf_error err = PF_ERROR_INIT;
    struct buffer body = BUFFER_INIT;
    if (api_put_job(&body, api, job, include_image, &err) != PF_OK) {
        buffer_finish(&body);
        api_fail_result(request, api, job->id, &err);
        return;
    }
    http_add_header(request, "Cache-Control", "no-store");
    add_timing(request, job);
    http_respond_buffer(request, status, "application/json", &body);
}

void handle_get_job(struct http_request *request, void *context)
{
    struct api *api = context;
    struct pf_error err = PF_ERROR_INIT;
    int include_image;
    if (!api_read_include(request, &include_image))
        return;
    AUTO_JOB struct job *job = NULL;
    if (jobs_get(api->jobs, http_owner(request), http_path_param(request, "id"), &job, &err) !=
        PF_OK)
        api_fail_jobs(request, api, &err);
    else
        api_respond_job(request, api, 200, job, include_image);
}

/* ---- the list ---- */

static enum pf_status read_limit(const char *text, size_t *ret_limit, struct pf_error *err)
{
    *ret_limit = API_LIST_DEFAULT;
    if (!text)
        return PF_OK;
    size_t digits = strspn(text, "0123456789");
    long limit = digits > 0 && digits < 5 && !text[digits] ? strtol(text, NULL, 10) : 0;
    if (limit < 1 || limit > JOBS_PAGE_MAX)
        return pf_fail(err, PF_INVALID, "limit is '%.64s', expected a number from 1 to %d", text,
            JOBS_PAGE_MAX);
    *ret_limit = (size_t)limit;
    return PF_OK;
}

static enum pf_status read_filter(struct http_request *request, struct jobs_filter *ret_filter,
    const char **ret_param, struct pf_error *err)
{
    static const char *const names[] = {"status", "limit", "after", "batch", NULL};
    const char *status = http_query(request, "status");
    *ret_filter = (struct jobs_filter){.owner = http_owner(request),
        .status = -1,
        .after = http_query(request, "after"),
        .batch = http_query(request, "batch")};
    *ret_param = NULL;
    PF_TRY(http_check_query(request, names, err));
    *ret_param = "limit";
    PF_TRY(read_limit(http_query(request, "limit"), &ret_filter->limit, err));
    *ret_param = "status";
    if (status) {
        enum job_status parsed;
        PF_TRY(job_status_parse(status, &parsed, err));
        ret_filter->status = (int)parsed;
    }
    *ret_param = "batch";
    if (ret_filter->batch && !id_is_valid(ret_filter->batch))
        return pf_fail(
            err, PF_INVALID, "batch is '%.64s', expected a batch's id", ret_filter->batch);
    *ret_param = "after";
    if (ret_filter->after && !id_is_valid(ret_filter->after))
        return pf_fail(err, PF_INVALID, "after is '%.64s', expected a job's id", ret_filter->after);
    return PF_OK;
}

static void put_page(struct buffer *out, struct api *api, const struct jobs_page *page)
{
    buffer_put_text(out, "{\"object\":\"list\",\"data\":[");
    for (size_t i = 0; i < page->count; i++) {
        struct job_view view;
        jobs_get_view(api->jobs, page->items[i], &view);
        if (i > 0)
            buffer_put_text(out, ",");
        job_put_json(out, page->items[i], &view);
    }
    buffer_put_format(out, "],\"has_more\":%s", page->has_more ? "true" : "false");
    if (page->count > 0)
        buffer_put_format(out, ",\"first_id\":\"%s\",\"last_id\":\"%s\"}", page->items[0]->id,
            page->items[page->count - 1]->id);
    else
        buffer_put_text(out, ",\"first_id\":null,\"last_id\":null}");
}

void handle_list_jobs(struct http_request *request, void *context)
{
    struct api *api = context;
    struct pf_error err = PF_ERROR_INIT;
    struct jobs_filter filter;
    const char *param;
    if (read_filter(request, &filter, &param, &err) != PF_OK) {
        http_fail_error(request, param, &err);
        return;
    }
    struct jobs_page page;
    if (jobs_list(api->jobs, &filter, &page, &err) != PF_OK) {
        if (err.status == PF_NOT_FOUND)
            http_fail(request, PROBLEM_INVALID, "after", "%s", err.message);
        else
            api_fail_jobs(request, api, &err);
        return;
    }
    struct buffer body = BUFFER_INIT;
    put_page(&body, api, &page);
    jobs_page_finish(&page);
    http_add_header(request, "Cache-Control", "no-store");
    http_respond_buffer(request, 200, "application/json", &body);
}

/* ---- the result ---- */

void handle_get_result(struct http_request *request, void *context)
{
    struct api *api = context;
    struct pf_error err = PF_ERROR_INIT;
    if (http_check_query(request, (const char *const[]){NULL}, &err) != PF_OK) {
        http_fail_error(request, NULL, &err);
        return;
    }
    int fd = -1;
    AUTO_JOB struct job *job = NULL;
    const char *id = http_path_param(request, "id");
    if (jobs_open_result(api->jobs, http_owner(request), id, &fd, &job, &err) != PF_OK) {
        api_fail_result(request, api, id, &err);
        return;
    }
    char type[32], disposition[96];
    snprintf(type, sizeof type, "image/%s", job->result.format);
    snprintf(disposition, sizeof disposition, "inline; filename=\"promptfix-%.8s.%s\"", job->id,
        strcmp(job->result.format, "jpeg") == 0 ? "jpg" : job->result.format);
    http_add_header(request, "Content-Disposition", disposition);
    http_add_header(request, "X-Content-Type-Options", "nosniff");
    http_add_header(request, "Cache-Control", "private, no-cache");
    http_respond_file(request, type, fd, (size_t)job->result.bytes, job->result_blob);
}
