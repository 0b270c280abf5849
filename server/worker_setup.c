/* SPDX-License-Identifier: Apache-2.0 */
/* The server doesn't link libtorch, so "auto" counts the device files of the NVIDIA driver; a
 * worker whose libtorch can't use its device says so when it loads. */
#include "server/worker_setup.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/program.h"

enum { EXTRA_ARGS_MAX = CONFIG_OPTIONS_MAX, WORKER_STARTUP_HELLO_MS = 30000 };

struct arguments {
    struct buffer text; /* the arguments, NUL after each */
    size_t count;
    const char *items[EXTRA_ARGS_MAX + 1];
};

/* Options of both programs that are no plain copy: the pool passes them itself, or they are shared
 * out. */
static const char *const not_copied[] = {"model", "dtype", "max_batch", "max_runs", "threads"};

static int is_copied(const struct option_spec *option)
{
    if (!(option->programs & CONFIG_PROGRAM_SERVER) ||
        !(option->programs & CONFIG_PROGRAM_WORKER) || option->attributes & OPTION_ACTION)
        return 0;
    for (size_t i = 0; i < COUNT_OF(not_copied); i++)
        if (strcmp(option->name, not_copied[i]) == 0)
            return 0;
    return 1;
}

/* "--name=value". A value that isn't given has no flag. */
static void add_argument(
    struct arguments *arguments, const struct option_spec *option, const struct config *config)
{
    AUTO_BUFFER struct buffer value = BUFFER_INIT;
    option_put_text(&value, option, config);
    if (value.size == 0)
        return;
    option_put_flag(&arguments->text, option);
    buffer_put_format(&arguments->text, "=%s", value.data);
    buffer_put(&arguments->text, "", 1);
    arguments->count++;
}

static const struct option_spec *row(const char *name)
{
    return option_find(config_options, config_option_count, name);
}

/* What the pool doesn't pass by itself. Threads are shared evenly. */
static void add_arguments(
    struct arguments *arguments, const struct config *config, size_t device_count)
{
    struct config worker = *config; /* borrows */
    int64_t share = sysconf(_SC_NPROCESSORS_ONLN) / (long)device_count;
    if (worker.threads == 0)
        worker.threads = share > 0 ? share : 1;
    add_argument(arguments, row("threads"), &worker);
    for (size_t i = 0; i < config_option_count; i++)
        if (is_copied(&config_options[i]))
            add_argument(arguments, &config_options[i], &worker);

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

static enum pf_status find_program(
    const struct config *config, char ret_path[PATH_MAX], struct pf_error *err)
{
    if (config->worker_path[0]) {
        snprintf(ret_path, PATH_MAX, "%s", config->worker_path);
        return access(ret_path, X_OK) == 0
                   ? PF_OK
                   : pf_fail(err, PF_NOT_FOUND, "--worker-path: %s can't be run", ret_path);
    }
    return program_find("promptfix-worker", ret_path, err);
}

static enum pf_status start_pool(const struct config *config, struct workers_options *options,
    struct workers **ret_workers, struct pf_error *err)
{
    struct arguments arguments = {.text = BUFFER_INIT};
    add_arguments(&arguments, config, options->device_count);
    enum pf_status status = buffer_status(&arguments.text, err);
    options->model = config->model;
    options->dtype = row("dtype")->choices[config->dtype];
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
