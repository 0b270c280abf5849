/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_HTTP_KEYS_H
#define SERVER_HTTP_KEYS_H

/* API keys, known by their SHA-256 alone. A file has one key a line, "ID HASH": an id of ours (in
 * logs, and the owner of jobs), and the hash of the key in hex. '#' begins a comment line.
 *
 *     alice 2bd806c97f0e00af1a1fc3328fa763a9269723c8db8fac4f93af71db186d6e90
 *
 * Keys are meant to be random (`openssl rand -hex 24`), so a fast hash does. */

#include <stddef.h>

#include "base/error.h"

enum { KEYS_MAX = 1024, KEY_ID_SIZE = 64, KEY_TEXT_MAX = 512 };

struct keys;

/* PF_INVALID names the line; a file without keys is one too. */
PF_MUST_CHECK enum pf_status keys_load(
    struct keys **ret_keys, const char *path, struct pf_error *err);
PF_MUST_CHECK enum pf_status keys_parse(
    struct keys **ret_keys, const char *text, size_t count, struct pf_error *err);
void keys_destroy(struct keys *keys); /* takes NULL */

/* The id of a key, or NULL. Takes the same time whichever key it is, or none. */
const char *keys_find(const struct keys *keys, const char *key);

/* The token of an Authorization header "Bearer TOKEN", or NULL. */
const char *keys_bearer_token(const char *authorization);

#endif
