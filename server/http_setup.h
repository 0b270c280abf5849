/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_HTTP_SETUP_H
#define SERVER_HTTP_SETUP_H

/* From the configuration to the listening server. */

#include "config/config.h"
#include "server/api/api.h"
#include "server/http/server.h"

/* Loads the keys into `api`, and the certificate; listens. PF_INVALID: a public address without
 * keys, a key file with a mistake; errors of http_server_start(). */
PF_MUST_CHECK enum pf_status http_setup_start(const struct config *config, struct api *api,
    struct http_server **ret_server, struct pf_error *err);

/* Changes what can be changed while it serves. On failure it stays as it was. */
PF_MUST_CHECK enum pf_status http_setup_tune(
    const struct config *config, struct http_server *server, struct pf_error *err);

/* Loads the keys again. On failure the old ones stay. */
PF_MUST_CHECK enum pf_status http_setup_load_keys(
    const struct config *config, struct api *api, struct pf_error *err);

#endif
