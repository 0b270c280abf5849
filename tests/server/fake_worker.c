/* SPDX-License-Identifier: Apache-2.0 */
/* A worker that speaks the protocol and has no model: each job counts its steps and ends with its
 * own input image. What goes wrong is written in the instruction, in words anywhere in it:
 *
 *   step-ms=K        each step takes K ms (default: --fake step-ms=K, else 1)
 *   fail, fail@N     fails for good, at its start or at step N: code "invalid", field "image"
 *   internal         fails for good: code "internal"
 *   oom, oom-once    fails, out of memory, retryable; the second on the first attempt only
 *   crash@N          dies by a signal at step N; crash-once@N: on the first attempt only
 *   exit@N           exits with status 0 at step N
 *   hang@N           says and reads nothing any more from step N on; hang-once@N
 *   garbage@N        sends bytes that are no frame at step N; garbage-once@N
 *   unknown@N        sends a message of unknown type at step N; unknown-once@N
 *   stale@N          at step N also reports the end of another attempt, to be ignored
 *   finish-anyway    doesn't heed a cancel
 *   fds              fails with the list of its open descriptors as message
 *   hold             takes no step until it is cancelled
 *   sent-at          a step's sigma is when it was sent, in ms of the monotonic clock
 *
 * --fake KEY=VALUE: load=fail|crash|hang|silent|garbage|version, load-ms=K, step-ms=K, rss=BYTES
 * (told after each step), runs=N (told as max_runs). */
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/frame.h"
#include "base/jdoc.h"
#include "base/protocol.h"

enum { RUNS_MAX = 64 };

struct run {
    char job[40];
    char *instruction;
    char *image;
    size_t image_size;
    long long attempt, step, steps, previews, step_ms;
    long long start_ms, next_ms;
    int is_cancelled;
};

static struct {
    const char *load, *device;
    long long load_ms, step_ms, rss, runs;
    int fd;
    struct run items[RUNS_MAX];
    size_t count;
} fake = {.load = "", .device = "cpu", .step_ms = 1, .runs = 4, .fd = PROTOCOL_SOCKET_FD};

static const unsigned char tiny_png[] = {0x89, 'P', 'N', 'G', 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0x0d,
    'I', 'H', 'D', 'R', 0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0, 0x3a, 0x7e, 0x9b, 0x55, 0, 0, 0,
    0x0a, 'I', 'D', 'A', 'T', 0x78, 0x9c, 0x63, 0x68, 0, 0, 0, 0x82, 0, 0x81, 0x77, 0xcd, 0x72,
    0xb6, 0, 0, 0, 0, 'I', 'E', 'N', 'D', 0xae, 0x42, 0x60, 0x82};

static void die(const char *what)
{
    fprintf(stderr, "fake worker: %s\n", what);
    exit(2);
}

static void send_bytes(const void *bytes, size_t count)
{
    if (file_write_full(fake.fd, bytes, count, NULL) != PF_OK)
        exit(0); /* the server is gone */
}

static void send_frame(const struct buffer *header, const void *body, size_t body_size)
{
    struct buffer out = BUFFER_INIT;
    if (header->status != PF_OK ||
        frame_put(&out, header->data, header->size, body, body_size, NULL) != PF_OK)
        die("no frame");
    send_bytes(out.data, out.size);
    buffer_finish(&out);
}

static void send_text(const char *header)
{
    struct buffer text = BUFFER_INIT;
    buffer_put_text(&text, header);
    send_frame(&text, NULL, 0);
    buffer_finish(&text);
}

/* Sends {"type":TYPE,"job":…,"attempt":… and what `fmt` adds. */
static void send_job(const struct run *run, const char *type, const void *body, size_t body_size,
    const char *members)
{
    struct buffer text = BUFFER_INIT;
    buffer_put_format(&text, "{\"type\":\"%s\",\"job\":\"%s\",\"attempt\":%lld%s}", type, run->job,
        run->attempt, members);
    send_frame(&text, body, body_size);
    buffer_finish(&text);
}

/* ---- the script ---- */

/* The number behind "NAME@" or "NAME=", 0 for the bare word, -1 when it isn't there. */
static long long find_word(const char *text, const char *name)
{
    size_t size = strlen(name);
    for (const char *at = strstr(text, name); at; at = strstr(at + 1, name)) {
        char after = at[size];
        if (at != text && at[-1] != ' ')
            continue;
        if (after == '@' || after == '=')
            return strtoll(at + size + 1, NULL, 10);
        if (after == '\0' || after == ' ')
            return 0;
    }
    return -1;
}

static int is_now(const struct run *run, const char *name, const char *once_name)
{
    return find_word(run->instruction, name) == run->step ||
           (run->attempt == 1 && find_word(run->instruction, once_name) == run->step);
}

static void crash(void)
{
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    signal(SIGSEGV, SIG_DFL); /* not the sanitizers' report */
    raise(SIGSEGV);
}

static void hang(void)
{
    for (;;)
        pause();
}

static void end_run(struct run *run)
{
    free(run->instruction);
    free(run->image);
    *run = fake.items[--fake.count];
}

static void fail_run(struct run *run, const char *code, const char *message, int is_retryable)
{
    struct buffer members = BUFFER_INIT;
    buffer_put_format(&members, ",\"code\":\"%s\",\"message\":", code);
    buffer_put_json_string(&members, message, strlen(message));
    buffer_put_format(&members, ",\"field\":%s,\"retryable\":%s",
        strcmp(code, "invalid") == 0 ? "\"image\"" : "null", is_retryable ? "true" : "false");
    send_job(run, "failed", NULL, 0, members.data);
    buffer_finish(&members);
    end_run(run);
}

static void list_fds(struct run *run)
{
    char text[256] = "";
    DIR *dir = opendir("/proc/self/fd");
    if (!dir)
        die("no /proc/self/fd");
    const struct dirent *entry;
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.' || atoi(entry->d_name) == dirfd(dir))
            continue;
        snprintf(text + strlen(text), sizeof text - strlen(text), " %d", atoi(entry->d_name));
    }
    closedir(dir);
    fail_run(run, "invalid", text, 0);
}

/* ---- one run ---- */

static const char *image_format(const struct run *run)
{
    if (run->image_size > 3 && memcmp(run->image, "\xff\xd8\xff", 3) == 0)
        return "jpeg";
    if (run->image_size > 12 && memcmp(run->image + 8, "WEBP", 4) == 0)
        return "webp";
    return "png";
}

static unsigned big_endian(const char *bytes)
{
    const unsigned char *b = (const unsigned char *)bytes;
    return (unsigned)b[0] << 24 | (unsigned)b[1] << 16 | (unsigned)b[2] << 8 | b[3];
}

static void succeed(struct run *run, long long now_ms)
{
    unsigned width = 64, height = 64;
    if (run->image_size > 24 && memcmp(run->image + 1, "PNG", 3) == 0) {
        width = big_endian(run->image + 16);
        height = big_endian(run->image + 20);
    }
    char members[256];
    snprintf(members, sizeof members,
        ",\"format\":\"%s\",\"width\":%u,\"height\":%u,"
        "\"timings\":{\"encode_ms\":1,\"sample_ms\":%lld,\"decode_ms\":1}",
        image_format(run), width, height, now_ms - run->start_ms);
    send_job(run, "succeeded", run->image, run->image_size, members);
    end_run(run);
}

static void send_step(const struct run *run, long long now_ms)
{
    char members[256];
    long long elapsed_ms = now_ms - run->start_ms;
    double sigma = strstr(run->instruction, "sent-at") ? (double)clock_monotonic_us() / 1000
                                                       : 14.6 / (double)run->step;
    snprintf(members, sizeof members,
        ",\"step\":%lld,\"steps\":%lld,\"sigma\":%.3f,\"guidance_loss\":%s,"
        "\"elapsed_ms\":%lld,\"eta_ms\":%lld",
        run->step, run->steps, sigma, run->step % 2 ? "null" : "0.25", elapsed_ms,
        elapsed_ms / run->step * (run->steps - run->step));
    send_job(run, "step", NULL, 0, members);
    /* Spread evenly, the last one at the last step. */
    if (run->previews > 0 &&
        run->step * run->previews / run->steps != (run->step - 1) * run->previews / run->steps) {
        snprintf(members, sizeof members,
            ",\"step\":%lld,\"format\":\"png\",\"width\":1,\"height\":1", run->step);
        send_job(run, "preview", tiny_png, sizeof tiny_png, members);
    }
    if (fake.rss > 0) {
        snprintf(members, sizeof members,
            "{\"type\":\"stats\",\"rss_bytes\":%lld,\"device_bytes\":0,\"unet_calls\":%lld,"
            "\"unet_rows\":%lld}",
            fake.rss, run->step, run->step * 3);
        send_text(members);
    }
}

/* What the script has for this step. */
static void misbehave(struct run *run)
{
    static const char garbage[64] = "this is no frame at all";
    if (is_now(run, "crash", "crash-once"))
        crash();
    if (is_now(run, "exit", "exit-once"))
        exit(0);
    if (is_now(run, "hang", "hang-once"))
        hang();
    if (is_now(run, "garbage", "garbage-once"))
        send_bytes(garbage, sizeof garbage);
    if (is_now(run, "unknown", "unknown-once"))
        send_text("{\"type\":\"surprise\"}");
    if (is_now(run, "stale", "stale-once")) {
        struct run other = *run;
        other.attempt += 7;
        send_job(&other, "failed", NULL, 0,
            ",\"code\":\"internal\",\"message\":\"stale\",\"field\":null,\"retryable\":false");
    }
}

/* Returns 1 when the run has ended. */
static int step_run(struct run *run, long long now_ms)
{
    if (run->is_cancelled && find_word(run->instruction, "finish-anyway") < 0) {
        send_job(run, "cancelled", NULL, 0, "");
        end_run(run);
        return 1;
    }
    if (now_ms < run->next_ms || (find_word(run->instruction, "hold") >= 0 && !run->is_cancelled))
        return 0;
    if (run->step == run->steps) {
        succeed(run, now_ms);
        return 1;
    }
    run->step++;
    run->next_ms = now_ms + run->step_ms;
    if (find_word(run->instruction, "fail") == run->step) {
        fail_run(run, "invalid", "the script says so", 0);
        return 1;
    }
    misbehave(run);
    send_step(run, now_ms);
    return 0;
}

static void begin_run(struct run *run)
{
    send_job(run, "started", NULL, 0, ",\"load_ms\":0");
    if (find_word(run->instruction, "fds") >= 0)
        list_fds(run);
    else if (find_word(run->instruction, "fail") == 0)
        fail_run(run, "invalid", "the script says so", 0);
    else if (find_word(run->instruction, "internal") >= 0)
        fail_run(run, "internal", "a secret path: /etc/shadow", 0);
    else if (find_word(run->instruction, "oom") >= 0 ||
             (run->attempt == 1 && find_word(run->instruction, "oom-once") >= 0))
        fail_run(run, "nomem", "out of device memory", 1);
    else
        send_job(run, "encoded", NULL, 0, ",\"encode_ms\":1,\"width\":64,\"height\":64");
}

/* ---- messages ---- */

static void take_run(const struct jdoc_value *root, const struct frame *frame)
{
    if (fake.count == RUNS_MAX)
        die("too many runs");
    struct run *run = &fake.items[fake.count++];
    const struct jdoc_value *params = jdoc_get(root, "parameters");
    *run = (struct run){.attempt = jdoc_get_integer(root, "attempt", 0),
        .steps = jdoc_get_integer(params, "steps", 0),
        .previews = jdoc_get_integer(params, "previews", 0),
        .start_ms = clock_monotonic_ms()};
    snprintf(run->job, sizeof run->job, "%s", jdoc_get_string(root, "job", ""));
    run->instruction = strdup(jdoc_get_string(root, "instruction", ""));
    run->image_size = (size_t)jdoc_get_integer(root, "image_bytes", 0);
    long long mask_bytes = jdoc_get_integer(root, "mask_bytes", -1);
    if (mask_bytes < 0 || run->image_size + (size_t)mask_bytes != frame->body_size ||
        run->steps < 1 || run->attempt < 1 || !jdoc_get_string(root, "auxiliary_prompt", NULL))
        die("a run frame that doesn't add up");
    run->image = malloc(run->image_size + 1);
    memcpy(run->image, frame->body, run->image_size);
    long long step_ms = find_word(run->instruction, "step-ms");
    run->step_ms = step_ms >= 0 ? step_ms : fake.step_ms;
    run->next_ms = run->start_ms;
    begin_run(run);
}

static void take_frame(const struct frame *frame)
{
    struct jdoc *doc;
    if (jdoc_parse(&doc, frame->header, frame->header_size, NULL) != PF_OK)
        die("a header that is no JSON");
    const struct jdoc_value *root = jdoc_root(doc);
    const char *type = jdoc_get_string(root, "type", "");
    if (strcmp(type, "run") == 0) {
        take_run(root, frame);
    } else if (strcmp(type, "cancel") == 0) {
        for (size_t i = 0; i < fake.count; i++)
            if (strcmp(fake.items[i].job, jdoc_get_string(root, "job", "")) == 0)
                fake.items[i].is_cancelled = 1;
    } else {
        die("a message of unknown type");
    }
    jdoc_destroy(doc);
}

static void receive(struct frame_reader *reader)
{
    char bytes[1 << 16];
    ssize_t count = read(fake.fd, bytes, sizeof bytes);
    if (count < 0 && errno == EINTR)
        return;
    if (count <= 0)
        exit(0);
    int have = 1;
    if (frame_reader_feed(reader, bytes, (size_t)count, NULL) != PF_OK)
        die("no memory");
    while (have) {
        struct frame frame;
        if (frame_reader_next(reader, &frame, &have, NULL) != PF_OK)
            die("no frame");
        if (have)
            take_frame(&frame);
    }
}

static int next_timeout_ms(void)
{
    long long now_ms = clock_monotonic_ms();
    long long timeout_ms = 60000;
    for (size_t i = 0; i < fake.count; i++) {
        const struct run *run = &fake.items[i];
        if (find_word(run->instruction, "hold") >= 0 && !run->is_cancelled)
            continue;
        long long left_ms = run->is_cancelled ? 0 : run->next_ms - now_ms;
        timeout_ms = left_ms < timeout_ms ? left_ms : timeout_ms;
    }
    return timeout_ms < 0 ? 0 : (int)timeout_ms;
}

static void serve(void)
{
    struct frame_reader reader;
    frame_reader_init(&reader);
    for (;;) {
        struct pollfd fd = {.fd = fake.fd, .events = POLLIN};
        int ready = poll(&fd, 1, next_timeout_ms());
        if (ready > 0)
            receive(&reader);
        long long now_ms = clock_monotonic_ms();
        for (size_t i = 0; i < fake.count;)
            i += !step_run(&fake.items[i], now_ms);
    }
}

static void load(void)
{
    char text[512];
    if (strcmp(fake.load, "silent") == 0)
        hang();
    snprintf(text, sizeof text,
        "{\"type\":\"hello\",\"protocol\":%d,\"pid\":%d,\"device\":\"%s\",\"version\":\"fake\"}",
        strcmp(fake.load, "version") == 0 ? 99 : PROTOCOL_VERSION, (int)getpid(), fake.device);
    send_text(text);
    poll(NULL, 0, (int)fake.load_ms);
    if (strcmp(fake.load, "fail") == 0) {
        send_text(
            "{\"type\":\"broken\",\"code\":\"corrupt\",\"message\":\"tensor 'x' is missing\"}");
        exit(1);
    }
    if (strcmp(fake.load, "crash") == 0)
        raise(SIGKILL);
    if (strcmp(fake.load, "hang") == 0)
        hang();
    if (strcmp(fake.load, "garbage") == 0)
        send_bytes("GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27);
    snprintf(text, sizeof text,
        "{\"type\":\"ready\",\"device\":\"%s\",\"dtype\":\"float32\",\"load_ms\":%lld,"
        "\"max_runs\":%lld,\"model\":{\"id\":\"fake\",\"parameters\":0,\"multiple\":8}}",
        fake.device, fake.load_ms, fake.runs);
    send_text(text);
}

static void set_option(const char *pair)
{
    const char *value = strchr(pair, '=');
    if (!value)
        die("--fake wants KEY=VALUE");
    value++;
    if (strncmp(pair, "load=", 5) == 0)
        fake.load = value;
    else if (strncmp(pair, "load-ms=", 8) == 0)
        fake.load_ms = strtoll(value, NULL, 10);
    else if (strncmp(pair, "step-ms=", 8) == 0)
        fake.step_ms = strtoll(value, NULL, 10);
    else if (strncmp(pair, "rss=", 4) == 0)
        fake.rss = strtoll(value, NULL, 10);
    else if (strncmp(pair, "runs=", 5) == 0)
        fake.runs = strtoll(value, NULL, 10);
    else
        die("no such --fake option");
}

int main(int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i++) { /* others have their value behind '=' */
        if (strcmp(argv[i], "--fake") == 0)
            set_option(argv[i + 1]);
        else if (strcmp(argv[i], "--device") == 0)
            fake.device = argv[i + 1];
        else if (strcmp(argv[i], "--socket-fd") == 0)
            fake.fd = atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--max-runs") == 0)
            fake.runs = strtoll(argv[i + 1], NULL, 10);
    }
    load();
    serve();
    return 0;
}
