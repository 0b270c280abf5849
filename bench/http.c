/* SPDX-License-Identifier: Apache-2.0 */
/* bench-http PROMPTFIXD FAKE_WORKER [SECONDS]: what the HTTP side costs, on one machine in one run,
 * beside the least any server on libmicrohttpd could cost (an answer of two bytes from its own
 * thread).
 *
 *   fan-out             from a worker's sending of a step to each of N streams' having it
 *   memory              idle, and of one stream
 *   requests a second   polls of a job, submissions (each on disk before its answer)
 *   a whole job         POST with Prefer: wait around a worker whose steps take no time: what a job
 *                       costs beside its computation (bench-job has the same with a model)
 *   the disk            what one durable write costs here; a job makes seven */
#include <fcntl.h>
#include <microhttpd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "bench/http_load.h"
#include "bench/http_service.h"
#include "bench/http_streams.h"

enum { CONNECTIONS = 32, SYNCS = 200 };

static const unsigned char png[] = {0x89, 'P', 'N', 'G', 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0x0d, 'I',
    'H', 'D', 'R', 0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0, 0x3a, 0x7e, 0x9b, 0x55, 0, 0, 0, 0x0a,
    'I', 'D', 'A', 'T', 0x78, 0x9c, 0x63, 0x68, 0, 0, 0, 0x82, 0, 0x81, 0x77, 0xcd, 0x72, 0xb6, 0,
    0, 0, 0, 'I', 'E', 'N', 'D', 0xae, 0x42, 0x60, 0x82};

static void die(const char *what)
{
    perror(what);
    exit(1);
}

/* ---- the bare server ---- */

static enum MHD_Result hello(void *context, struct MHD_Connection *connection, const char *url,
    const char *method, const char *version, const char *upload, size_t *upload_size,
    void **request_context)
{
    static int seen;
    (void)context;
    (void)url;
    (void)method;
    (void)version;
    (void)upload;
    if (!*request_context) {
        *request_context = &seen;
        return MHD_YES;
    }
    *upload_size = 0;
    struct MHD_Response *response =
        MHD_create_response_from_buffer(2, (void *)(uintptr_t) "ok", MHD_RESPMEM_PERSISTENT);
    enum MHD_Result result = MHD_queue_response(connection, 200, response);
    MHD_destroy_response(response);
    return result;
}

static unsigned start_hello(pid_t *ret_pid)
{
    int ends[2];
    unsigned port = 0;
    if (pipe(ends) != 0)
        die("pipe");
    *ret_pid = fork();
    if (*ret_pid == 0) {
        struct MHD_Daemon *daemon = MHD_start_daemon(
            MHD_USE_AUTO_INTERNAL_THREAD, 0, NULL, NULL, hello, NULL, MHD_OPTION_END);
        const union MHD_DaemonInfo *info =
            daemon ? MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT) : NULL;
        port = info ? info->port : 0;
        if (write(ends[1], &port, sizeof port) != sizeof port)
            _exit(1);
        for (;;)
            pause();
    }
    if (read(ends[0], &port, sizeof port) != sizeof port || port == 0)
        die("the bare server");
    close(ends[0]);
    close(ends[1]);
    return port;
}

/* ---- measures ---- */

static void measure_requests(
    const char *what, unsigned port, const struct buffer *request, size_t connections, int seconds)
{
    struct http_load load = {.port = port,
        .request = request->data,
        .request_size = request->size,
        .connections = connections,
        .duration_ms = seconds * 1000};
    struct http_load_result result = http_load_run(&load);
    printf("%-44s %9.0f/s   p50 %7.3f ms   p99 %7.3f ms", what, result.per_second, result.p50_ms,
        result.p99_ms);
    printf(result.errors ? "   %lld ERRORS\n" : "\n", (long long)result.errors);
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* What being durable costs on this disk: 4 KiB appended and synced, as a transaction of a job is.
 */
static void measure_disk(const char *folder)
{
    char path[128], bytes[4096] = {0};
    int64_t took_us[SYNCS];
    snprintf(path, sizeof path, "%s/sync", folder);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    for (size_t i = 0; i < SYNCS; i++) {
        int64_t start_us = clock_monotonic_us();
        if (write(fd, bytes, sizeof bytes) != sizeof bytes || fdatasync(fd) != 0)
            die(path);
        took_us[i] = clock_monotonic_us() - start_us;
    }
    close(fd);
    qsort(took_us, SYNCS, sizeof *took_us, compare);
    printf("the disk, 4 KiB written and synced                            p50 %7.3f ms   p99 %7.3f "
           "ms\n",
        (double)took_us[SYNCS / 2] / 1000, (double)took_us[SYNCS * 99 / 100] / 1000);
}

static void put_post(struct buffer *out, const char *headers, const char *steps)
{
    buffer_clear(out);
    http_service_put_post(
        out, headers, png, sizeof png, (const char *const[]){"instruction=x", steps, NULL});
}

static void measure_all_requests(
    const struct http_service *service, unsigned hello_port, int seconds)
{
    struct buffer request = BUFFER_INIT;
    char id[33];
    put_post(&request, "", "steps=1");
    http_service_submit(service, &request, id);
    buffer_clear(&request);
    buffer_put_text(&request, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    measure_requests("bare libmicrohttpd, GET", hello_port, &request, CONNECTIONS, seconds);
    buffer_clear(&request);
    buffer_put_text(&request, "GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n");
    measure_requests("promptfixd, GET /health/live", service->port, &request, CONNECTIONS, seconds);
    buffer_clear(&request);
    buffer_put_format(&request, "GET /v1/jobs/%s HTTP/1.1\r\nHost: x\r\n\r\n", id);
    measure_requests(
        "promptfixd, GET /v1/jobs/{id}", service->port, &request, CONNECTIONS, seconds);
    measure_disk(service->folder);
    put_post(&request, "Prefer: wait=60\r\n", "steps=20");
    measure_requests(
        "promptfixd, a whole job of 20 steps, one by one", service->port, &request, 1, seconds);
    put_post(&request, "", "steps=1");
    measure_requests(
        "promptfixd, POST /v1/jobs (durable)", service->port, &request, CONNECTIONS, seconds);
    buffer_finish(&request);
}

static void measure_fan_out(const struct http_service *service, size_t streams)
{
    struct buffer post = BUFFER_INIT;
    char id[33], instruction[64], steps[32];
    snprintf(
        instruction, sizeof instruction, "instruction=sent-at step-ms=%d", HTTP_STREAMS_STEP_MS);
    snprintf(steps, sizeof steps, "steps=%d", HTTP_STREAMS_STEPS);
    http_service_put_post(
        &post, "", png, sizeof png, (const char *const[]){instruction, steps, NULL});
    http_service_submit(service, &post, id);
    buffer_finish(&post);
    struct http_streams_result result = http_streams_run(service->port, service->pid, id, streams);
    printf(
        "worker to client at %4zu streams                            p50 %7.3f ms   p99 %7.3f ms",
        streams, result.p50_ms, result.p99_ms);
    if (streams >= 100)
        printf("   %.1f KiB a stream", (double)result.opened_kib / (double)streams);
    printf(result.unfinished ? "   %zu UNFINISHED\n" : "\n", result.unfinished);
}

int main(int argc, char **argv)
{
    if (argc < 3 || argc > 4)
        return fprintf(stderr, "usage: %s PROMPTFIXD FAKE_WORKER [SECONDS]\n", argv[0]), 2;
    int seconds = argc > 3 ? atoi(argv[3]) : 3;
    struct rlimit limit = {4096, 4096};
    setrlimit(RLIMIT_NOFILE, &limit);
    pid_t hello_pid;
    unsigned hello_port = start_hello(&hello_pid);
    static const char *const args[] = {"--model", "/dev/null", "--devices", "cpu", "--max-queued",
        "1000000", "--max-runs", "64", "--max-connections", "1200", NULL};
    struct http_service service =
        http_service_start(argv[1], argv[2], "--fake step-ms=0 --fake runs=64", args);
    struct buffer post = BUFFER_INIT;
    char id[33];
    put_post(&post, "Prefer: wait=60\r\n", "steps=1");
    http_service_submit(&service, &post, id);
    buffer_finish(&post);
    printf(
        "promptfixd idle: %lld KiB resident\n", (long long)http_streams_resident_kib(service.pid));
    static const size_t streams[] = {1, 100, HTTP_STREAMS_MAX};
    for (size_t i = 0; i < COUNT_OF(streams); i++)
        measure_fan_out(&service, streams[i]);
    measure_all_requests(&service, hello_port, seconds);
    http_service_stop(&service);
    kill(hello_pid, SIGKILL);
    waitpid(hello_pid, NULL, 0);
    return 0;
}
