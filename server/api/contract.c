/* SPDX-License-Identifier: Apache-2.0 */
/* GET /openapi.yaml, the contract, and GET /docs, the same as a page (tools/gen-docs.mjs): embedded
 * when the program is built. */
#include "server/api/handlers.h"
#include "server/api/docs_html.h"
#include "server/api/openapi_yaml.h"

void handle_get_openapi(struct http_request *request, void *context)
{
    (void)context;
    http_add_header(request, "Cache-Control", "no-cache");
    http_respond_static(request, 200, "application/yaml", openapi_yaml, openapi_yaml_size);
}

void handle_get_docs(struct http_request *request, void *context)
{
    (void)context;
    http_add_header(request, "Cache-Control", "no-cache");
    http_add_header(request, "Content-Security-Policy",
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'");
    http_add_header(request, "X-Content-Type-Options", "nosniff");
    http_respond_static(request, 200, "text/html; charset=utf-8", docs_html, docs_html_size);
}
