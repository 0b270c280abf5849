/* SPDX-License-Identifier: Apache-2.0 */
/* GET /metrics, in Prometheus' text format 0.0.4. */
#include "server/api/metrics.h"

#include <string.h>

#include "base/buffer.h"
#include "server/api/handlers.h"
#include "server/vlm/vlm.h"
#include "server/webhooks/webhooks.h"

static const double bucket_s[METRICS_BUCKETS] = {
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1, 10, 60};

void metrics_count_request(const struct http_summary *summary, void *context)
{
    struct metrics *metrics = ((struct api *)context)->metrics;
    size_t route = METRICS_ROUTES_MAX;
    if (summary->route)
        route = (size_t)(summary->route - api_routes);
    int status = summary->status - METRICS_STATUS_MIN;
    if (status >= 0 && status < METRICS_STATUS_COUNT)
        atomic_fetch_add(&metrics->requests[route][status], 1);
    size_t bucket = 0;
    while (bucket < METRICS_BUCKETS && (double)summary->duration_us > bucket_s[bucket] * 1e6)
        bucket++;
    atomic_fetch_add(&metrics->buckets[route][bucket], 1);
    atomic_fetch_add(&metrics->duration_us[route], summary->duration_us);
}

static void put_head(struct buffer *out, const char *name, const char *type, const char *help)
{
    buffer_put_format(
        out, "# HELP promptfix_%s %s\n# TYPE promptfix_%s %s\n", name, help, name, type);
}

static void put_value(
    struct buffer *out, const char *name, const char *type, const char *help, int64_t value)
{
    put_head(out, name, type, help);
    buffer_put_format(out, "promptfix_%s %lld\n", name, (long long)value);
}

/* ---- HTTP ---- */

static const char *route_name(size_t route)
{
    return route < api_route_count ? api_routes[route].name : "none";
}

static void put_requests(struct buffer *out, const struct metrics *metrics)
{
    put_head(out, "http_requests_total", "counter", "Requests answered.");
    for (size_t route = 0; route <= METRICS_ROUTES_MAX; route++)
        for (int status = 0; status < METRICS_STATUS_COUNT; status++) {
            long long count = atomic_load(&metrics->requests[route][status]);
            if (count > 0)
                buffer_put_format(out,
                    "promptfix_http_requests_total{route=\"%s\",status=\"%d\"} %lld\n",
                    route_name(route), status + METRICS_STATUS_MIN, count);
        }
}

static void put_durations(struct buffer *out, const struct metrics *metrics)
{
    static const char name[] = "promptfix_http_request_duration_seconds";
    put_head(out, "http_request_duration_seconds", "histogram",
        "Time from request line to the end of the answer.");
    for (size_t route = 0; route <= METRICS_ROUTES_MAX; route++) {
        long long sum = 0;
        for (size_t i = 0; i <= METRICS_BUCKETS; i++)
            sum += atomic_load(&metrics->buckets[route][i]);
        if (sum == 0)
            continue;
        long long below = 0;
        for (size_t i = 0; i < METRICS_BUCKETS; i++) {
            below += atomic_load(&metrics->buckets[route][i]);
            buffer_put_format(out, "%s_bucket{route=\"%s\",le=\"%g\"} %lld\n", name,
                route_name(route), bucket_s[i], below);
        }
        buffer_put_format(out,
            "%s_bucket{route=\"%s\",le=\"+Inf\"} %lld\n%s_sum{route=\"%s\"} %.6f\n"
            "%s_count{route=\"%s\"} %lld\n",
            name, route_name(route), sum, name, route_name(route),
            (double)atomic_load(&metrics->duration_us[route]) / 1e6, name, route_name(route), sum);
    }
}

static void put_server(struct buffer *out, struct http_server *server)
{
    struct http_server_stats stats;
    http_server_get_stats(server, &stats);
    put_value(out, "http_connections", "gauge", "Open connections.", (int64_t)stats.connections);
    put_value(out, "http_streams", "gauge", "Open event streams.", (int64_t)stats.streams);
    put_value(out, "http_body_bytes", "gauge", "Bytes of request bodies held.",
        (int64_t)stats.buffered_bytes);
}

/* ---- jobs ---- */

static void put_steps(struct buffer *out, const struct jobs_stats *stats)
{
    put_head(out, "step_seconds", "histogram", "Duration of sampling steps.");
    long long below = 0;
    for (int i = 0; i < JOBS_STEP_BUCKETS; i++) {
        below += stats->step_bucket[i];
        buffer_put_format(
            out, "promptfix_step_seconds_bucket{le=\"%g\"} %lld\n", jobs_step_bucket_s[i], below);
    }
    buffer_put_format(out,
        "promptfix_step_seconds_bucket{le=\"+Inf\"} %lld\npromptfix_step_seconds_sum %.6f\n"
        "promptfix_step_seconds_count %lld\n",
        (long long)stats->step_count, stats->step_sum_s, (long long)stats->step_count);
}

static void put_jobs(struct buffer *out, struct jobs *jobs)
{
    struct jobs_stats stats;
    jobs_get_stats(jobs, &stats);
    put_head(out, "jobs_queued", "gauge", "Jobs that wait.");
    for (int i = 0; i < JOB_PRIORITY_COUNT; i++)
        buffer_put_format(out, "promptfix_jobs_queued{priority=\"%s\"} %lld\n",
            job_priority_name((enum job_priority)i), (long long)stats.queued[i]);
    put_head(out, "queue_age_seconds", "gauge", "Age of the oldest job that waits.");
    buffer_put_format(
        out, "promptfix_queue_age_seconds %.3f\n", (double)stats.oldest_queued_ms / 1000.0);
    put_value(out, "jobs_running", "gauge", "Jobs that run.", stats.running);
    put_value(out, "jobs_submitted_total", "counter", "Jobs accepted.", stats.submitted);
    put_value(out, "jobs_replayed_total", "counter",
        "Submissions answered with an earlier job by their idempotency key.", stats.replayed);
    put_value(
        out, "jobs_rejected_total", "counter", "Submissions refused: queue full.", stats.rejected);
    put_value(out, "jobs_retried_total", "counter", "Attempts that went back to the queue.",
        stats.retried);
    put_head(out, "jobs_ended_total", "counter", "Jobs by outcome.");
    for (int i = JOB_SUCCEEDED; i < JOB_STATUS_COUNT; i++)
        buffer_put_format(out, "promptfix_jobs_ended_total{outcome=\"%s\"} %lld\n",
            job_status_name((enum job_status)i), (long long)stats.ended[i]);
    put_steps(out, &stats);
    put_value(out, "event_bytes", "gauge", "Memory of the events kept for streams.",
        (int64_t)stats.hub.bytes);
    put_value(out, "events_skipped_total", "counter", "Events that slow readers lost.",
        stats.hub.skipped);
}

static void put_webhooks(struct buffer *out, struct webhooks *webhooks)
{
    struct webhooks_stats stats;
    webhooks_get_stats(webhooks, &stats);
    put_value(out, "webhooks_following", "gauge", "Jobs with a webhook that is still to be called.",
        stats.following);
    put_value(out, "webhooks_delivered_total", "counter", "Calls taken.", stats.delivered);
    put_value(out, "webhooks_retried_total", "counter", "Calls to be made again.", stats.retried);
    put_value(out, "webhooks_failed_total", "counter", "Calls given up.", stats.failed);
}

static void put_vlm(struct buffer *out, struct vlm *vlm)
{
    struct vlm_stats stats;
    vlm_get_stats(vlm, &stats);
    put_value(out, "vlm_jobs", "gauge", "Jobs that are asked about.", stats.jobs_active);
    put_value(out, "vlm_in_flight", "gauge", "Requests under way.", stats.in_flight);
    put_value(out, "vlm_requests_total", "counter", "Requests sent.", stats.requests);
    put_value(out, "vlm_retried_total", "counter", "Attempts to be made again.", stats.retried);
    put_value(out, "vlm_answered_total", "counter", "Questions answered.", stats.answered);
    put_value(out, "vlm_cached_total", "counter", "Questions answered by the cache.", stats.cached);
    put_value(out, "vlm_failed_total", "counter", "Questions without an answer.", stats.failed);
    put_head(out, "vlm_answer_seconds_total", "counter", "Time requests took that were answered.");
    buffer_put_format(out, "promptfix_vlm_answer_seconds_total %.3f\n", stats.answer_sum_s);
    put_value(out, "vlm_jobs_without_total", "counter",
        "Jobs that went on though not all was answered.", stats.jobs_without);
    put_value(out, "vlm_jobs_failed_total", "counter", "Jobs that failed for want of an answer.",
        stats.jobs_failed);
}

/* ---- workers ---- */

static void put_worker_values(struct buffer *out, const char *name, const char *type,
    const char *help, const struct worker_stats *stats, size_t count, size_t offset)
{
    put_head(out, name, type, help);
    for (size_t i = 0; i < count; i++) {
        int64_t value;
        memcpy(&value, (const char *)&stats[i] + offset, sizeof value);
        buffer_put_format(out, "promptfix_%s{worker=\"%zu\",device=\"%s\"} %lld\n", name, i,
            stats[i].device, (long long)value);
    }
}

static void put_workers(struct buffer *out, struct workers *workers)
{
    static struct {
        const char *name, *type, *help;
        size_t offset;
    } const values[] = {
        {"worker_jobs", "gauge", "Jobs in the worker.", offsetof(struct worker_stats, in_flight)},
        {"worker_restarts_total", "counter", "Times the worker was started again.",
            offsetof(struct worker_stats, restarts)},
        {"worker_resident_bytes", "gauge", "Resident memory of the worker.",
            offsetof(struct worker_stats, rss_bytes)},
        {"worker_device_bytes", "gauge", "Device memory of the worker.",
            offsetof(struct worker_stats, device_bytes)},
        {"worker_unet_calls_total", "counter", "Calls of the UNet.",
            offsetof(struct worker_stats, unet_calls)},
        {"worker_unet_rows_total", "counter",
            "Rows in calls of the UNet: rows by calls is the "
            "batch size.",
            offsetof(struct worker_stats, unet_rows)},
    };
    struct worker_stats stats[WORKERS_MAX];
    size_t count = workers_get_stats(workers, stats, WORKERS_MAX);
    put_head(out, "worker_ready", "gauge", "1 when the worker takes jobs.");
    for (size_t i = 0; i < count; i++)
        buffer_put_format(out, "promptfix_worker_ready{worker=\"%zu\",device=\"%s\"} %d\n", i,
            stats[i].device, stats[i].state == WORKER_READY);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        put_worker_values(
            out, values[i].name, values[i].type, values[i].help, stats, count, values[i].offset);
}

void handle_get_metrics(struct http_request *request, void *context)
{
    struct api *api = context;
    struct buffer body = BUFFER_INIT;
    put_requests(&body, api->metrics);
    put_durations(&body, api->metrics);
    put_server(&body, http_server_of(request));
    put_jobs(&body, api->jobs);
    put_workers(&body, api->workers);
    pthread_rwlock_rdlock(&api->settings_lock);
    if (api->options.vlm)
        put_vlm(&body, api->options.vlm);
    pthread_rwlock_unlock(&api->settings_lock);
    if (api->options.webhooks)
        put_webhooks(&body, api->options.webhooks);
    http_add_header(request, "Cache-Control", "no-store");
    http_respond_buffer(request, 200, "text/plain; version=0.0.4; charset=utf-8", &body);
}
