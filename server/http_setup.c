/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http_setup.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "server/api/metrics.h"

enum { PEM_MAX = 1 << 20 };

/* Loopback by name or number: nobody else can come in. */
static int is_private(const char *host)
{
    return strcmp(host, "localhost") == 0 || strcmp(host, "::1") == 0 ||
           strncmp(host, "127.", 4) == 0;
}

static enum pf_status check_access(
    const struct config *config, const char *host, struct pf_error *err)
{
    if (is_private(host) || config->keys_file[0] || config->allow_without_keys)
        return PF_OK;
    return pf_fail(err, PF_INVALID,
        "--listen %s is open to the network and there is no --keys-file; give one, or say "
        "--allow-without-keys",
        config->listen);
}

enum pf_status http_setup_load_keys(
    const struct config *config, struct api *api, struct pf_error *err)
{
    struct keys *keys = NULL;
    char host[CONFIG_HOST_SIZE];
    unsigned port;
    PF_TRY(config_listen_split(config->listen, host, &port, err));
    PF_TRY(check_access(config, host, err));
    if (config->keys_file[0])
        PF_TRY(keys_load(&keys, config->keys_file, err));
    api_set_keys(api, keys);
    return PF_OK;
}

static struct http_tuning get_tuning(const struct config *config)
{
    return (struct http_tuning){
        .max_connections_per_address = (size_t)config->max_connections_per_address,
        .max_body_bytes = (size_t)config->max_body_bytes,
        .max_buffered_bytes = (size_t)config->max_buffered_bytes,
        .max_parts = (size_t)config->max_parts,
        .max_field_bytes = (size_t)config->max_field_bytes,
        .request_deadline_ms = config->request_deadline_ms,
        .ping_ms = config->sse_ping_ms,
        .cors_origins = (const char *const *)config->cors_origins.items,
        .cors_origin_count = config->cors_origins.count};
}

static enum pf_status check_bodies(const struct config *config, struct pf_error *err)
{
    if (config->max_buffered_bytes < config->max_body_bytes)
        return pf_fail(err, PF_INVALID,
            "--max-buffered-bytes is %lld, less than one body may have: --max-body-bytes is %lld",
            (long long)config->max_buffered_bytes, (long long)config->max_body_bytes);
    return PF_OK;
}

enum pf_status http_setup_tune(
    const struct config *config, struct http_server *server, struct pf_error *err)
{
    struct http_tuning tuning = get_tuning(config);
    PF_TRY(check_bodies(config, err));
    return http_server_tune(server, &tuning, err);
}

static void fill_options(
    const struct config *config, struct api *api, struct http_server_options *options)
{
    options->routes = api_routes;
    options->route_count = api_route_count;
    options->context = api;
    options->authorize = api_authorize;
    options->finished = metrics_count_request;
    options->max_connections = (size_t)config->max_connections;
    options->tuning = get_tuning(config);
}

enum pf_status http_setup_start(const struct config *config, struct api *api,
    struct http_server **ret_server, struct pf_error *err)
{
    char host[CONFIG_HOST_SIZE];
    struct http_server_options options;
    AUTO_BUFFER struct buffer certificate = BUFFER_INIT_MAX(PEM_MAX);
    AUTO_BUFFER struct buffer key = BUFFER_INIT_MAX(PEM_MAX);
    http_server_options_init(&options);
    PF_TRY(config_listen_split(config->listen, host, &options.port, err));
    PF_TRY(check_bodies(config, err));
    PF_TRY(http_setup_load_keys(config, api, err));
    options.host = host;
    fill_options(config, api, &options);
    if (!config->tls_certificate[0] != !config->tls_key[0])
        return pf_fail(err, PF_INVALID, "--tls-certificate and --tls-key need one another");
    if (config->tls_certificate[0]) {
        PF_TRY(file_read(config->tls_certificate, PEM_MAX, &certificate, err));
        PF_TRY(file_read(config->tls_key, PEM_MAX, &key, err));
        options.tls_certificate = certificate.data ? certificate.data : "";
        options.tls_key = key.data ? key.data : "";
    }
    enum pf_status status = http_server_start(ret_server, &options, err);
    memset(key.data ? key.data : host, 0, key.size);
    return status;
}
