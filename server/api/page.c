/* SPDX-License-Identifier: Apache-2.0 */
/* GET / and the files it loads. The page is revalidated each time and names its files by their
 * version; those never change and are kept by browsers for good. */
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "server/api/handlers.h"
#include "web/web.h"

/* The page runs no script and loads nothing but its own files. Photos, previews and results are
 * blob: URLs it makes itself. */
static const char page_policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'";

static void add_security_headers(struct http_request *request)
{
    http_add_header(request, "Content-Security-Policy", page_policy);
    http_add_header(request, "X-Content-Type-Options", "nosniff");
    http_add_header(request, "Referrer-Policy", "no-referrer");
    http_add_header(request, "Cross-Origin-Opener-Policy", "same-origin");
    http_add_header(request, "Cross-Origin-Resource-Policy", "same-origin");
}

static void respond_file(
    struct http_request *request, const struct web_file *file, const char *cache_control)
{
    char etag[64], weak[72];
    const char *known = http_header(request, "If-None-Match");
    snprintf(etag, sizeof etag, "\"%s\"", web_version);
    snprintf(weak, sizeof weak, "W/%s", etag);
    http_add_header(request, "Cache-Control", cache_control);
    http_add_header(request, "ETag", etag);
    add_security_headers(request);
    if (known &&
        (http_list_has(known, etag) || http_list_has(known, weak) || http_list_has(known, "*")))
        http_respond_empty(request, 304);
    else
        http_respond_static(request, 200, file->type, file->bytes, file->size);
}

void handle_get_page(struct http_request *request, void *context)
{
    (void)context;
    respond_file(request, &web_files[0], "no-cache");
}

void handle_get_page_file(struct http_request *request, void *context)
{
    (void)context;
    const char *name = http_path_param(request, "file");
    if (strcmp(http_path_param(request, "version"), web_version) == 0) {
        for (size_t i = 1; i < web_file_count; i++) {
            if (strcmp(web_files[i].name, name) != 0)
                continue;
            respond_file(request, &web_files[i], "public, max-age=31536000, immutable");
            return;
        }
    }
    http_fail(
        request, PROBLEM_NOT_FOUND, NULL, "the page has no file '%.80s' of this version", name);
}
