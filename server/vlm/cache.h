/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_VLM_CACHE_H
#define SERVER_VLM_CACHE_H

/* Answers by what they depend on: image, model, question, size of the picture sent. The least
 * recently used one goes first. In memory; no lock, no clock. */

#include <stddef.h>

#include "base/error.h"
#include "base/sha256.h"

struct cache_key {
    unsigned char digest[SHA256_SIZE];
};

struct cache_entry;

struct cache {
    struct cache_entry **buckets;
    size_t bucket_count; /* a power of two; 0: nothing is kept */
    struct cache_entry *newest, *oldest;
    size_t count, max;
};

/* max: entries; 0 keeps nothing. PF_NOMEM. */
PF_MUST_CHECK enum pf_status cache_init(struct cache *cache, size_t max, struct pf_error *err);
void cache_finish(struct cache *cache);

/* The answer, or NULL; valid until the next put. It counts as used. */
const char *cache_get(struct cache *cache, const struct cache_key *key);

/* Keeps a copy, in place of one with this key. Without memory for it, it isn't kept. */
void cache_put(struct cache *cache, const struct cache_key *key, const char *answer);

/* The key of a question about an image (by its file's digest). */
void cache_make_key(const unsigned char image[SHA256_SIZE], const char *model, const char *question,
    long long side, struct cache_key *ret_key);

#endif
