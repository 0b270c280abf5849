/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_CLI_ITEMS_H
#define TOOLS_CLI_ITEMS_H

/* What `promptfix submit` is to send: image files found in folders, named one by one or in a
 * manifest, each with what is to be done to it and where its result goes. */

#include <stddef.h>

#include "base/error.h"
#include "base/params.h"

enum { ITEMS_MAX = 1000000, ITEMS_DEPTH_MAX = 64, ITEMS_PATH_MAX = 4096 };

/* What to do to one image, or to many. */
struct request {
    char *instruction, *auxiliary_prompt; /* owned, as the other texts; "" none */
    char *mask;                           /* file */
    char *metadata, *webhook_url;
    const char *auxiliary, *priority; /* names of the API, static */
    struct params params;             /* those marked as set are sent */
};
PF_MUST_CHECK enum pf_status request_copy(
    struct request *ret_copy, const struct request *request, struct pf_error *err);
void request_finish(struct request *request);

struct item {
    char *source;                  /* path of the image */
    char *output;                  /* path of the result below the output folder, '/' between */
    const struct request *request; /* the list's */
    int is_image;                  /* by its first bytes; a named file may not be one */
    enum image_format format;      /* of the result */
};

struct items {
    struct item *list;
    size_t count, capacity;
    struct request **requests; /* owned; items point to them */
    size_t request_count, request_capacity;
    size_t ignored_count; /* files in folders that are no images */
    const char *out;      /* the output folder: left out when it lies inside a folder; borrowed */
};
#define ITEMS_INIT(out_)                                                                           \
    {                                                                                              \
        NULL, 0, 0, NULL, 0, 0, 0, (out_)                                                          \
    }
void items_finish(struct items *items);

/* The format of a file that begins so; 0 when it is none of png, jpeg, webp. */
int items_sniff(const unsigned char *bytes, size_t count, enum image_format *ret_format);

/* Takes a copy of `request` into the list. */
PF_MUST_CHECK enum pf_status items_add_request(struct items *items, const struct request *request,
    const struct request **ret_request, struct pf_error *err);

/* A folder with all below it, or a file. Results mirror a folder's tree; a file's has its name.
 * Names that begin with '.' and links to folders are passed over in folders, and so are files that
 * aren't images (counted). A name keeps its ending where that fits the format of the result, else
 * it gets the format's own. NOT_FOUND, IO, INVALID (too many, too deep). */
PF_MUST_CHECK enum pf_status items_add_path(
    struct items *items, const char *path, const struct request *request, struct pf_error *err);

/* One file with the path of its result; `output` without an ending of its own gets one.
 * INVALID: `output` leads out of the output folder. */
PF_MUST_CHECK enum pf_status items_add_file(struct items *items, const char *path,
    const char *output, const struct request *request, struct pf_error *err);

/* Refuses results that would overwrite each other or an input. INVALID. */
PF_MUST_CHECK enum pf_status items_check(const struct items *items, struct pf_error *err);

#endif
