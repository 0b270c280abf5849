/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEB_WEB_H
#define WEB_WEB_H

/* The web page's files, embedded when the program is built (embed_web.c). index.html is served at
 * "/", the others at "/web/<web_version>/<name>"; the version is a hash of all of them, so a URL
 * never changes its content. */

#include <stddef.h>

struct web_file {
    const char *name;
    const char *type; /* Content-Type */
    const unsigned char *bytes;
    size_t size;
};

extern const struct web_file web_files[]; /* index.html first */
extern const size_t web_file_count;
extern const char web_version[];

#endif
