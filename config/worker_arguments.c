/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/config.h"

/* Cores divided evenly, at least one each. */
static int64_t threads_of_worker(const struct config *config, size_t worker_count)
{
    if (config->threads > 0)
        return config->threads;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    int64_t share = cores > 0 && worker_count > 0 ? cores / (int64_t)worker_count : 1;
    return share > 0 ? share : 1;
}

/* Appends "--name=value" and its NUL for each option both programs have. */
static size_t put_shared(struct buffer *out, const struct config *config, size_t worker_count)
{
    size_t count = 0;
    for (size_t i = 0; i < config_option_count; i++) {
        const struct option_spec *option = &config_options[i];
        unsigned both = CONFIG_PROGRAM_SERVER | CONFIG_PROGRAM_WORKER;
        if ((option->programs & both) != both || option->attributes & OPTION_ACTION)
            continue;
        option_put_flag(out, option);
        buffer_put_text(out, "=");
        if (option->offset == offsetof(struct config, threads))
            buffer_put_format(out, "%" PRId64, threads_of_worker(config, worker_count));
        else
            option_put_text(out, option, config);
        buffer_put(out, "", 1);
        count++;
    }
    return count;
}

enum pf_status config_worker_arguments(const struct config *config, const char *device,
    size_t worker_count, char ***ret_argv, struct pf_error *err)
{
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    buffer_put_text(&text, config->worker_path[0] ? config->worker_path : "promptfix-worker");
    buffer_put(&text, "", 1);
    buffer_put_format(
        &text, "--device=%s%c--socket-fd=%" PRId64 "%c", device, 0, config->socket_fd, 0);
    size_t count = 3 + put_shared(&text, config, worker_count);
    PF_TRY(buffer_status(&text, err));
    size_t table_size = (count + 1) * sizeof(char *);
    char **argv = malloc(table_size + text.size);
    if (!argv)
        return pf_fail(err, PF_NOMEM, "no memory for the worker's %zu arguments", count);
    char *next = (char *)argv + table_size;
    memcpy(next, text.data, text.size);
    for (size_t i = 0; i < count; i++, next += strlen(next) + 1)
        argv[i] = next;
    argv[count] = NULL;
    *ret_argv = argv;
    return PF_OK;
}
