/* SPDX-License-Identifier: Apache-2.0 */
/* The server doesn't link libtorch, so "auto" counts the device files of the NVIDIA driver; a
 * worker whose libtorch can't use its device says so when it loads. */
#include "server/worker_setup.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"

enum { EXTRA_ARGS_MAX = 16, WORKER_STARTUP_HELLO_MS = 30000 };

struct arguments {
    struct buffer text; /* the arguments, NUL after each */
    size_t count;
    const char *items[EXTRA_ARGS_MAX + 1];
};

static void add_argument(struct arguments *arguments, const char *name, const char *value)
{
    buffer_put_format(&arguments->text, "--%s=%s", name, value);
    buffer_put(&arguments->text, "", 1);
    arguments->count++;
}

static void add_number(struct arguments *arguments, const char *name, int64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, value);
    add_argument(arguments, name, text);
}

/* What the pool doesn't pass by itself. Threads are shared evenly. */
static void add_arguments(
    struct arguments *arguments, const struct config *config, size_t device_count)
{
    static const char *const formats[] = {"human", "json"};
    static const char *const levels[] = {"error", "warning", "info", "debug"};
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    int64_t share = cores / (long)device_count;
    add_number(arguments, "threads", config->threads ? config->threads : share > 0 ? share : 1);
    if (config->merges[0])
        add_argument(arguments, "merges", config->merges);
    add_number(arguments, "max-pixels", config->max_pixels);
    add_argument(arguments, "log-format", formats[config->log_format]);
    add_argument(arguments, "log-level", levels[config->log_level]);

    const char *next = arguments->text.data;
    for (size_t i = 0; next && i < arguments->count; i++, next += strlen(next) + 1)
        arguments->items[i] = next;
}

static size_t find_devices(char ret_names[WORKERS_MAX][16], const char *ret_devices[WORKERS_MAX])
{
    size_t count = 0;
    for (; count < WORKERS_MAX; count++) {
        char path[32];
        snprintf(path, sizeof path, "/dev/nvidia%zu", count);
        if (access(path, F_OK) != 0)
            break;
        snprintf(ret_names[count], 16, "cuda:%zu", count);
        ret_devices[count] = ret_names[count];
    }
    if (count > 0)
        return count;
    ret_devices[0] = "cpu";
    return 1;
}

/* The program beside this one; "" when it can't be told. */
static void find_beside(char ret_path[PATH_MAX])
{
    ssize_t size = readlink("/proc/self/exe", ret_path, PATH_MAX - 32);
    ret_path[size > 0 ? size : 0] = 0;
    char *slash = strrchr(ret_path, '/');
    if (slash)
        strcpy(slash + 1, "promptfix-worker");
}

static enum pf_status find_on_path(char ret_path[PATH_MAX], struct pf_error *err)
{
    for (const char *at = getenv("PATH"); at && *at;) {
        size_t size = strcspn(at, ":");
        int used = snprintf(ret_path, PATH_MAX, "%.*s/promptfix-worker", (int)size, at);
        if (size > 0 && used > 0 && used < PATH_MAX && access(ret_path, X_OK) == 0)
            return PF_OK;
        at += size + (at[size] == ':');
    }
    return pf_fail(err, PF_NOT_FOUND,
        "promptfix-worker is neither beside promptfixd nor on PATH; --worker-path names it");
}

static enum pf_status find_program(
    const struct config *config, char ret_path[PATH_MAX], struct pf_error *err)
{
    if (config->worker_path[0]) {
        snprintf(ret_path, PATH_MAX, "%s", config->worker_path);
        return access(ret_path, X_OK) == 0
                   ? PF_OK
                   : pf_fail(err, PF_NOT_FOUND, "--worker-path: %s can't be run", ret_path);
    }
    find_beside(ret_path);
    if (ret_path[0] && access(ret_path, X_OK) == 0)
        return PF_OK;
    return find_on_path(ret_path, err);
}

static enum pf_status start_pool(const struct config *config, struct workers_options *options,
    struct workers **ret_workers, struct pf_error *err)
{
    static const char *const dtypes[] = {"auto", "float32", "bfloat16", "float16"};
    struct arguments arguments = {.text = BUFFER_INIT};
    add_arguments(&arguments, config, options->device_count);
    enum pf_status status = buffer_status(&arguments.text, err);
    options->model = config->model;
    options->dtype = dtypes[config->dtype];
    options->max_batch = config->max_batch;
    options->max_runs = config->max_runs;
    options->extra_args = arguments.items;
    options->hello_timeout_ms = WORKER_STARTUP_HELLO_MS;
    options->ready_timeout_ms = config->worker_start_timeout_ms;
    options->silence_timeout_ms = config->worker_silence_timeout_ms;
    options->rss_max_bytes = config->worker_memory_limit_bytes;
    if (status == PF_OK)
        status = workers_create(ret_workers, options, err);
    buffer_finish(&arguments.text);
    return status;
}

enum pf_status worker_setup_start(const struct config *config, struct jobs *jobs,
    void (*notice)(void *context, const struct workers_notice *notice), void *notice_context,
    struct workers **ret_workers, struct pf_error *err)
{
    struct workers_options options;
    char program[PATH_MAX];
    char names[WORKERS_MAX][16];
    const char *found[WORKERS_MAX];
    workers_options_init(&options);
    PF_TRY(find_program(config, program, err));
    options.jobs = jobs;
    options.program = program;
    options.notice = notice;
    options.notice_context = notice_context;
    if (config->devices.count == 1 && strcmp(config->devices.items[0], "auto") == 0) {
        options.devices = found;
        options.device_count = find_devices(names, found);
    } else {
        options.devices = (const char *const *)config->devices.items;
        options.device_count = config->devices.count;
    }
    if (options.device_count > WORKERS_MAX)
        return pf_fail(err, PF_INVALID, "--devices: %zu devices, at most %d", options.device_count,
            WORKERS_MAX);
    return start_pool(config, &options, ret_workers, err);
}
