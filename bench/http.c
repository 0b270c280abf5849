/* SPDX-License-Identifier: Apache-2.0 */
/* bench-http PROMPTFIXD FAKE_WORKER [SECONDS]: what the HTTP side costs, on one machine in one run,
 * beside the least any server on libmicrohttpd could cost (an answer of two bytes from its own
 * thread).
 *
 *   requests a second   polls of a job, submissions (each on disk before its answer)
 *   a job's overhead    POST with Prefer: wait around a worker that does nothing
 *   fan-out             how far apart the first and the last of N streams get the same step
 *   memory              idle, and of one stream */
#include <microhttpd.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "bench/http_load.h"

enum { CONNECTIONS = 32, STREAMS_MAX = 1000, STEPS = 40, STEP_MS = 50 };

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

/* ---- promptfixd ---- */

struct service {
    pid_t pid;
    unsigned port;
    char folder[64];
};

static void write_worker(const struct service *service, const char *fake_worker, char path[128])
{
    snprintf(path, 128, "%s/worker.sh", service->folder);
    FILE *file = fopen(path, "w");
    if (!file)
        die(path);
    fprintf(file, "#!/bin/sh\nexec '%s' \"$@\" --fake step-ms=0 --fake runs=64\n", fake_worker);
    fclose(file);
    chmod(path, 0755);
}

static struct service start_service(const char *program, const char *fake_worker)
{
    struct service service = {.folder = "/tmp/promptfix-bench-XXXXXX"};
    char worker[128], data[128], line[256] = "";
    int ends[2];
    if (!mkdtemp(service.folder) || pipe(ends) != 0)
        die(service.folder);
    write_worker(&service, fake_worker, worker);
    snprintf(data, sizeof data, "%s/data", service.folder);
    service.pid = fork();
    if (service.pid == 0) {
        dup2(ends[1], 1);
        execl(program, program, "--listen", "127.0.0.1:0", "--model", "/dev/null", "--devices",
            "cpu", "--worker-path", worker, "--data-dir", data, "--log-level", "error",
            "--max-queued", "1000000", "--max-runs", "64", "--max-connections", "1200",
            (char *)NULL);
        die(program);
    }
    close(ends[1]);
    FILE *out = fdopen(ends[0], "r");
    if (!out || !fgets(line, sizeof line, out) ||
        sscanf(line, "listening on http://127.0.0.1:%u", &service.port) != 1)
        die("promptfixd doesn't listen");
    return service;
}

static void stop_service(const struct service *service)
{
    char command[128];
    kill(service->pid, SIGKILL);
    waitpid(service->pid, NULL, 0);
    snprintf(command, sizeof command, "rm -rf '%s'", service->folder);
    if (system(command) != 0)
        fprintf(stderr, "%s is left\n", service->folder);
}

static long resident_kib(pid_t pid)
{
    char path[64], line[256];
    long kib = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file))
        sscanf(line, "VmRSS: %ld", &kib);
    if (file)
        fclose(file);
    return kib;
}

static void put_submission(
    struct buffer *out, const char *headers, const char *instruction, int steps)
{
    struct buffer form = BUFFER_INIT;
    buffer_put_text(&form, "--B\r\nContent-Disposition: form-data; name=\"image\"; "
                           "filename=\"a.png\"\r\n\r\n");
    buffer_put(&form, png, sizeof png);
    buffer_put_format(&form,
        "\r\n--B\r\nContent-Disposition: form-data; name=\"instruction\"\r\n\r\n%s\r\n--B\r\n"
        "Content-Disposition: form-data; name=\"steps\"\r\n\r\n%d\r\n--B--\r\n",
        instruction, steps);
    buffer_clear(out);
    buffer_put_format(out,
        "POST /v1/jobs HTTP/1.1\r\nHost: x\r\n%sContent-Type: multipart/form-data; boundary=B\r\n"
        "Content-Length: %zu\r\n\r\n",
        headers, form.size);
    buffer_put(out, form.data, form.size);
    buffer_finish(&form);
}

/* The id of a new job. */
static void submit(const struct service *service, const char *instruction, int steps, char id[33])
{
    static char answer[65536];
    struct buffer request = BUFFER_INIT;
    put_submission(&request, "", instruction, steps);
    int status = http_load_ask(service->port, request.data, request.size, answer, sizeof answer);
    buffer_finish(&request);
    const char *found = strstr(answer, "\"id\":\"");
    if (status != 202 || !found) {
        fprintf(stderr, "a submission was answered %d: %.300s\n", status, answer);
        exit(1);
    }
    snprintf(id, 33, "%s", found + 6);
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

static void measure_all_requests(const struct service *service, unsigned hello_port, int seconds)
{
    struct buffer request = BUFFER_INIT;
    char id[33];
    submit(service, "x", 1, id);
    buffer_put_text(&request, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    measure_requests("bare libmicrohttpd, GET", hello_port, &request, CONNECTIONS, seconds);
    buffer_clear(&request);
    buffer_put_text(&request, "GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n");
    measure_requests("promptfixd, GET /health/live", service->port, &request, CONNECTIONS, seconds);
    buffer_clear(&request);
    buffer_put_format(&request, "GET /v1/jobs/%s HTTP/1.1\r\nHost: x\r\n\r\n", id);
    measure_requests(
        "promptfixd, GET /v1/jobs/{id}", service->port, &request, CONNECTIONS, seconds);
    put_submission(&request, "Prefer: wait=60\r\n", "x", 1);
    measure_requests("promptfixd, a whole job, one at a time", service->port, &request, 1, seconds);
    put_submission(&request, "", "x", 1);
    measure_requests(
        "promptfixd, POST /v1/jobs (durable)", service->port, &request, CONNECTIONS, seconds);
    buffer_finish(&request);
}

struct reader {
    int fd;
    size_t size;
    char bytes[1 << 14];
    int steps;
};

/* Counts the step events that have come; notes when each was first and last seen. */
static void read_stream(
    struct reader *reader, int64_t first_us[STEPS + 1], int64_t last_us[STEPS + 1])
{
    static const char mark[] = "event: step\n";
    ssize_t count =
        recv(reader->fd, reader->bytes + reader->size, sizeof reader->bytes - 1 - reader->size, 0);
    if (count <= 0)
        return;
    reader->size += (size_t)count;
    reader->bytes[reader->size] = 0;
    const char *at = reader->bytes;
    for (const char *found; (found = strstr(at, mark)) != NULL; at = found + sizeof mark - 1) {
        int step = reader->steps < STEPS ? ++reader->steps : STEPS;
        int64_t now_us = clock_monotonic_us();
        if (!first_us[step])
            first_us[step] = now_us;
        last_us[step] = now_us;
    }
    size_t left = reader->size - (size_t)(at - reader->bytes);
    size_t keep = left < sizeof mark ? left : sizeof mark;
    memmove(reader->bytes, reader->bytes + reader->size - keep, keep);
    reader->size = keep;
    reader->bytes[keep] = 0;
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void measure_fan_out(const struct service *service, size_t streams)
{
    static struct reader readers[STREAMS_MAX];
    static struct pollfd fds[STREAMS_MAX];
    int64_t first_us[STEPS + 1] = {0}, last_us[STEPS + 1] = {0}, spread_us[STEPS];
    char id[33], instruction[32], request[256];
    long before_kib = resident_kib(service->pid);
    snprintf(instruction, sizeof instruction, "step-ms=%d", STEP_MS);
    submit(service, instruction, STEPS, id);
    int size = snprintf(request, sizeof request,
        "GET /v1/jobs/%s/events HTTP/1.1\r\nHost: x\r\nLast-Event-ID: 1\r\n\r\n", id);
    for (size_t i = 0; i < streams; i++) {
        readers[i] = (struct reader){.fd = http_load_connect(service->port)};
        if (send(readers[i].fd, request, (size_t)size, MSG_NOSIGNAL) != size)
            die("send");
        fds[i] = (struct pollfd){.fd = readers[i].fd, .events = POLLIN};
    }
    int64_t end_ms = clock_monotonic_ms() + STEPS * STEP_MS + 10000;
    for (size_t done = 0; done < streams && clock_monotonic_ms() < end_ms;) {
        poll(fds, streams, 100);
        done = 0;
        for (size_t i = 0; i < streams; i++) {
            if (fds[i].revents)
                read_stream(&readers[i], first_us, last_us);
            done += readers[i].steps == STEPS;
        }
    }
    long after_kib = resident_kib(service->pid);
    for (size_t i = 0; i < streams; i++)
        close(readers[i].fd);
    /* The first half may be replay, while streams were still being opened. */
    int count = 0;
    for (int step = STEPS / 2; step <= STEPS; step++)
        spread_us[count++] = last_us[step] - first_us[step];
    qsort(spread_us, (size_t)count, sizeof *spread_us, compare);
    printf("a step at %4zu streams, first to last          median %7.3f ms   worst %7.3f ms",
        streams, (double)spread_us[count / 2] / 1000.0, (double)spread_us[count - 1] / 1000.0);
    printf(streams >= 100 ? "   %.1f KiB a stream\n" : "\n",
        (double)(after_kib - before_kib) / (double)streams);
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
    struct service service = start_service(argv[1], argv[2]);
    char id[33];
    submit(&service, "x", 1, id);
    printf("promptfixd idle: %ld KiB resident\n", resident_kib(service.pid));
    static const size_t streams[] = {1, 100, STREAMS_MAX};
    for (size_t i = 0; i < sizeof streams / sizeof *streams; i++)
        measure_fan_out(&service, streams[i]);
    measure_all_requests(&service, hello_port, seconds);
    stop_service(&service);
    kill(hello_pid, SIGKILL);
    waitpid(hello_pid, NULL, 0);
    return 0;
}
