/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_SERVICE_H
#define SERVER_SERVICE_H

/* The parts of promptfixd, as main.c joins them and reload.c changes them while they run. */

#include "config/config.h"
#include "server/api/api.h"
#include "server/http/server.h"
#include "server/jobs/jobs.h"
#include "server/vlm_setup.h"
#include "server/webhooks/webhooks.h"
#include "server/workers/workers.h"

struct service {
    struct config config;
    struct jobs *jobs;
    struct workers *workers;
    struct vlm *vlm; /* NULL: none configured */
    char vlm_digest[VLM_SETUP_DIGEST_SIZE];
    struct webhooks *webhooks; /* NULL: not enabled */
    struct api api;
    int has_api;
    struct http_server *http;
};

void service_fill_jobs_options(const struct config *config, struct jobs_options *ret_options);
void service_fill_api_options(
    const struct service *service, const struct config *config, struct api_options *ret_options);

/* The notices of the vision-language model, into the log; context: the jobs. */
void service_log_vlm(void *context, const struct vlm_notice *notice);

/* SIGHUP: reads file and keys again, changes what can be changed and logs what did and what waits
 * for a restart. A file with a mistake in it changes nothing; a part that fails stays as it was. */
void service_reload(struct service *service);

/* Ends jobs that wait for a vision-language model which this server has no longer. */
void service_end_questions(struct service *service);

#endif
