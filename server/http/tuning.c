/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/request_impl.h"

#include <stdlib.h>
#include <string.h>

void tuned_init(struct tuned *tuned)
{
    pthread_rwlock_init(&tuned->cors_lock, NULL);
}

static void free_origins(char **origins, size_t count)
{
    for (size_t i = 0; origins && i < count; i++)
        free(origins[i]);
    free(origins);
}

void tuned_finish(struct tuned *tuned)
{
    free_origins(tuned->cors_origins, tuned->cors_origin_count);
    pthread_rwlock_destroy(&tuned->cors_lock);
}

static enum pf_status copy_origins(
    const struct http_tuning *tuning, char ***ret_origins, struct pf_error *err)
{
    char **origins = calloc(tuning->cors_origin_count + 1, sizeof *origins);
    int is_whole = origins != NULL;
    for (size_t i = 0; is_whole && i < tuning->cors_origin_count; i++)
        is_whole = (origins[i] = strdup(tuning->cors_origins[i])) != NULL;
    if (!is_whole) {
        free_origins(origins, tuning->cors_origin_count);
        return pf_fail(err, PF_NOMEM, "no memory for %zu origins", tuning->cors_origin_count);
    }
    *ret_origins = origins;
    return PF_OK;
}

enum pf_status http_server_tune(
    struct http_server *server, const struct http_tuning *tuning, struct pf_error *err)
{
    struct tuned *tuned = &server->tuned;
    char **origins = NULL;
    PF_TRY(copy_origins(tuning, &origins, err));
    atomic_store(&tuned->max_body_bytes, tuning->max_body_bytes);
    atomic_store(&tuned->max_buffered_bytes, tuning->max_buffered_bytes);
    atomic_store(&tuned->max_parts, tuning->max_parts);
    atomic_store(&tuned->max_field_bytes, tuning->max_field_bytes);
    atomic_store(&tuned->ping_ms, tuning->ping_ms);
    if (server->peers) /* not yet while it starts */
        peers_set_limits(
            server->peers, tuning->max_connections_per_address, tuning->request_deadline_ms);
    pthread_rwlock_wrlock(&tuned->cors_lock);
    char **old = tuned->cors_origins;
    size_t old_count = tuned->cors_origin_count;
    tuned->cors_origins = origins;
    tuned->cors_origin_count = tuning->cors_origin_count;
    pthread_rwlock_unlock(&tuned->cors_lock);
    free_origins(old, old_count);
    return PF_OK;
}
