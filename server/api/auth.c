/* SPDX-License-Identifier: Apache-2.0 */
/* Who asks. With keys in use every operation but probes and documentation needs one; jobs belong to
 * the key they were submitted with. */
#include <string.h>

#include "server/api/api.h"
#include "server/http/server.h"

void api_authorize(struct http_request *request, void *context)
{
    struct api *api = context;
    if (http_route(request)->attributes & ROUTE_OPEN)
        return;
    pthread_rwlock_rdlock(&api->settings_lock);
    if (api->keys) {
        const char *token = keys_bearer_token(http_header(request, "Authorization"));
        const char *id = token ? keys_find(api->keys, token) : NULL;
        if (id) {
            http_set_owner(request, id);
        } else {
            http_add_header(request, "WWW-Authenticate", "Bearer realm=\"promptfix\"");
            http_fail(request, PROBLEM_UNAUTHORIZED, NULL, "%s",
                token ? "the API key is not known"
                      : "an API key is needed: Authorization: Bearer KEY");
        }
    }
    pthread_rwlock_unlock(&api->settings_lock);
}

void api_set_keys(struct api *api, struct keys *keys)
{
    pthread_rwlock_wrlock(&api->settings_lock);
    struct keys *old = api->keys;
    api->keys = keys;
    pthread_rwlock_unlock(&api->settings_lock);
    keys_destroy(old);
}
