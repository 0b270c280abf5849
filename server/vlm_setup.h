/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_VLM_SETUP_H
#define SERVER_VLM_SETUP_H

/* From the configuration to auxiliary prompts. */

#include "config/config.h"
#include "server/vlm/vlm.h"

/* With --vlm-url: reads the key, finds promptfix-thumbnail and starts asking; else *ret_vlm is NULL
 * and jobs left from a start that had one are ended. PF_INVALID, PF_NOT_FOUND: options, key file,
 * program; errors of vlm_create() and vlm_give_up(). */
PF_MUST_CHECK enum pf_status vlm_setup_start(const struct config *config, struct jobs *jobs,
    void (*notice)(void *context, const struct vlm_notice *notice), void *notice_context,
    struct vlm **ret_vlm, struct pf_error *err);

enum { VLM_SETUP_DIGEST_SIZE = 65 };

/* A digest of all that vlm_setup_start() goes by, the key file's content included: whether it has
 * to be started anew. PF_INVALID and file errors as there. */
PF_MUST_CHECK enum pf_status vlm_setup_digest(
    const struct config *config, char ret_digest[VLM_SETUP_DIGEST_SIZE], struct pf_error *err);

#endif
