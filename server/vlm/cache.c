/* SPDX-License-Identifier: Apache-2.0 */
#include "server/vlm/cache.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct cache_entry {
    struct cache_entry *next_in_bucket;
    struct cache_entry *newer, *older;
    struct cache_key key;
    char answer[];
};

enum { BUCKETS_MIN = 16 };

enum pf_status cache_init(struct cache *cache, size_t max, struct pf_error *err)
{
    *cache = (struct cache){.max = max};
    if (max == 0)
        return PF_OK;
    size_t count = BUCKETS_MIN;
    while (count < max)
        count *= 2;
    cache->buckets = calloc(count, sizeof(struct cache_entry *));
    if (!cache->buckets)
        return pf_fail(err, PF_NOMEM, "no memory for a cache of %zu answers", max);
    cache->bucket_count = count;
    return PF_OK;
}

void cache_finish(struct cache *cache)
{
    while (cache->newest) {
        struct cache_entry *entry = cache->newest;
        cache->newest = entry->older;
        free(entry);
    }
    free(cache->buckets);
    *cache = (struct cache){.max = 0};
}

static struct cache_entry **find(struct cache *cache, const struct cache_key *key)
{
    uint64_t hash; /* the key is a digest: any part of it is a good hash */
    memcpy(&hash, key->digest, sizeof hash);
    struct cache_entry **link = &cache->buckets[hash & (cache->bucket_count - 1)];
    while (*link && memcmp((*link)->key.digest, key->digest, SHA256_SIZE) != 0)
        link = &(*link)->next_in_bucket;
    return link;
}

static void unlink_use(struct cache *cache, struct cache_entry *entry)
{
    *(entry->newer ? &entry->newer->older : &cache->newest) = entry->older;
    *(entry->older ? &entry->older->newer : &cache->oldest) = entry->newer;
}

static void link_newest(struct cache *cache, struct cache_entry *entry)
{
    entry->newer = NULL;
    entry->older = cache->newest;
    *(cache->newest ? &cache->newest->newer : &cache->oldest) = entry;
    cache->newest = entry;
}

const char *cache_get(struct cache *cache, const struct cache_key *key)
{
    if (cache->bucket_count == 0)
        return NULL;
    struct cache_entry *entry = *find(cache, key);
    if (!entry)
        return NULL;
    unlink_use(cache, entry);
    link_newest(cache, entry);
    return entry->answer;
}

static void remove_at(struct cache *cache, struct cache_entry **link)
{
    struct cache_entry *entry = *link;
    *link = entry->next_in_bucket;
    unlink_use(cache, entry);
    free(entry);
    cache->count--;
}

void cache_put(struct cache *cache, const struct cache_key *key, const char *answer)
{
    if (cache->bucket_count == 0)
        return;
    size_t size = strlen(answer) + 1;
    struct cache_entry *entry = malloc(sizeof *entry + size);
    if (!entry)
        return;
    entry->key = *key;
    memcpy(entry->answer, answer, size);
    struct cache_entry **link = find(cache, key);
    if (*link)
        remove_at(cache, link);
    else if (cache->count == cache->max)
        remove_at(cache, find(cache, &cache->oldest->key));
    link = find(cache, key);
    entry->next_in_bucket = *link;
    *link = entry;
    link_newest(cache, entry);
    cache->count++;
}

void cache_make_key(const unsigned char image[SHA256_SIZE], const char *model, const char *question,
    long long side, struct cache_key *ret_key)
{
    struct sha256 sha;
    sha256_init(&sha);
    sha256_update(&sha, image, SHA256_SIZE);
    sha256_update(&sha, &side, sizeof side);
    sha256_update(&sha, model, strlen(model) + 1);
    sha256_update(&sha, question, strlen(question) + 1);
    sha256_finish(&sha, ret_key->digest);
}
