/* SPDX-License-Identifier: Apache-2.0 */
/* GET /openapi.yaml: the contract, embedded when the program is built. */
#include "server/api/handlers.h"
#include "server/api/openapi_yaml.h"

void handle_get_openapi(struct http_request *request, void *context)
{
    (void)context;
    http_add_header(request, "Cache-Control", "no-cache");
    http_respond_static(request, 200, "application/yaml", openapi_yaml, openapi_yaml_size);
}
