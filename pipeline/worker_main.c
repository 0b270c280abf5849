/* SPDX-License-Identifier: Apache-2.0 */
/* promptfix-worker: started by promptfixd with one end of a socketpair; see base/protocol.h. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "config/config.h"
#include "pipeline/worker.h"

extern char **environ;

static enum pf_status serve(const struct config *config, struct pf_error *err)
{
    struct worker_options options = {
        .pipeline = {.model = config->model,
            .merges = *config->merges ? config->merges : NULL,
            .precision = (enum precision)config->dtype,
            .threads = (int)config->threads},
        .device = config->device,
        .max_batch = (int)config->max_batch,
        .max_runs = (int)config->max_runs,
        .max_pixels = config->max_pixels,
        .socket_fd = (int)config->socket_fd,
    };
    return worker_serve(&options, err);
}

int main(int argc, char **argv)
{
    struct pf_error err = PF_ERROR_INIT;
    struct config config;
    enum config_action action;
    if (config_load(&config, CONFIG_PROGRAM_WORKER, argc, argv, environ, &action, &err) != PF_OK) {
        fprintf(stderr, "promptfix-worker: %s\n", err.message);
        return 2;
    }
    if (action != CONFIG_ACTION_RUN) {
        AUTO_BUFFER struct buffer out = BUFFER_INIT;
        config_put_action(&out, &config, action);
        fwrite(out.data, 1, out.size, stdout);
    } else if (serve(&config, &err) != PF_OK) {
        fprintf(stderr, "promptfix-worker: %s\n", err.message);
    }
    config_finish(&config);
    return err.status == PF_OK ? 0 : 1;
}
