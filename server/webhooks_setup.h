/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_WEBHOOKS_SETUP_H
#define SERVER_WEBHOOKS_SETUP_H

/* From the configuration to the webhooks. */

#include "config/config.h"
#include "server/webhooks/webhooks.h"

/* *ret_webhooks is NULL without --webhook-secret-file. Errors of reading it and of
 * webhooks_create(). */
PF_MUST_CHECK enum pf_status webhooks_setup_start(const struct config *config, struct jobs *jobs,
    void (*notice)(void *context, const struct webhooks_notice *notice), void *notice_context,
    struct webhooks **ret_webhooks, struct pf_error *err);

#endif
