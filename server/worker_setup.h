/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_WORKER_SETUP_H
#define SERVER_WORKER_SETUP_H

/* From the configuration to a running pool of workers. */

#include "config/config.h"
#include "server/workers/workers.h"

/* Finds the worker program and the devices, and starts the pool. PF_NOT_FOUND: no worker program;
 * errors of workers_create(). */
PF_MUST_CHECK enum pf_status worker_setup_start(const struct config *config, struct jobs *jobs,
    void (*notice)(void *context, const struct workers_notice *notice), void *notice_context,
    struct workers **ret_workers, struct pf_error *err);

#endif
