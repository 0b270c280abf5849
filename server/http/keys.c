/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/keys.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/sha256.h"

enum { KEYS_FILE_MAX = 1 << 20 };

struct key {
    char id[KEY_ID_SIZE];
    unsigned char hash[SHA256_SIZE];
};

struct keys {
    size_t count;
    struct key items[];
};

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static int read_hash(const char *text, size_t size, unsigned char hash[SHA256_SIZE])
{
    if (size != 2 * SHA256_SIZE)
        return 0;
    for (size_t i = 0; i < SHA256_SIZE; i++) {
        int high = hex_value(text[2 * i]), low = hex_value(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return 0;
        hash[i] = (unsigned char)(high * 16 + low);
    }
    return 1;
}

/* "ID HASH", the line's end not counted. */
static enum pf_status read_line(
    struct keys *keys, const char *line, size_t size, size_t number, struct pf_error *err)
{
    static const char id_characters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    static const char blanks[] = " \t\r";
    size_t start = 0;
    while (start < size && strchr(blanks, line[start]))
        start++;
    while (size > start && strchr(blanks, line[size - 1]))
        size--;
    if (start == size || line[start] == '#')
        return PF_OK;
    if (keys->count == KEYS_MAX)
        return pf_fail(err, PF_INVALID, "keys: more than %d", KEYS_MAX);

    struct key *key = &keys->items[keys->count];
    size_t id_size = 0;
    while (start + id_size < size && strchr(id_characters, line[start + id_size]))
        id_size++;
    size_t hash_at = start + id_size;
    while (hash_at < size && strchr(blanks, line[hash_at]))
        hash_at++;
    if (id_size == 0 || id_size >= KEY_ID_SIZE || hash_at == start + id_size ||
        !read_hash(line + hash_at, size - hash_at, key->hash))
        return pf_fail(err, PF_INVALID,
            "keys: line %zu is not 'ID HASH', an id of 1 to %d letters, digits, _ and -, and the "
            "key's SHA-256 in hex",
            number, KEY_ID_SIZE - 1);
    memcpy(key->id, line + start, id_size);
    key->id[id_size] = 0;
    for (size_t i = 0; i < keys->count; i++)
        if (strcmp(keys->items[i].id, key->id) == 0)
            return pf_fail(
                err, PF_INVALID, "keys: line %zu has the id '%s' again", number, key->id);
    keys->count++;
    return PF_OK;
}

enum pf_status keys_parse(
    struct keys **ret_keys, const char *text, size_t count, struct pf_error *err)
{
    AUTO_FREE struct keys *keys = calloc(1, sizeof *keys + KEYS_MAX * sizeof(struct key));
    if (!keys)
        return pf_fail(err, PF_NOMEM, "keys: out of memory");
    if (memchr(text, 0, count))
        return pf_fail(err, PF_INVALID, "keys: a zero byte");
    size_t number = 1;
    for (size_t start = 0; start < count; number++) {
        const char *newline = memchr(text + start, '\n', count - start);
        size_t size = newline ? (size_t)(newline - text) - start : count - start;
        PF_TRY(read_line(keys, text + start, size, number, err));
        start += size + 1;
    }
    if (keys->count == 0)
        return pf_fail(err, PF_INVALID, "keys: there is none in the file");
    *ret_keys = STEAL(keys);
    return PF_OK;
}

enum pf_status keys_load(struct keys **ret_keys, const char *path, struct pf_error *err)
{
    AUTO_BUFFER struct buffer text = BUFFER_INIT_MAX(KEYS_FILE_MAX);
    PF_TRY(file_read(path, KEYS_FILE_MAX, &text, err));
    return keys_parse(ret_keys, text.data ? text.data : "", text.size, err);
}

void keys_destroy(struct keys *keys)
{
    free(keys);
}

const char *keys_find(const struct keys *keys, const char *key)
{
    size_t size = strlen(key);
    if (size > KEY_TEXT_MAX)
        return NULL;
    struct sha256 sha;
    unsigned char hash[SHA256_SIZE];
    sha256_init(&sha);
    sha256_update(&sha, key, size);
    sha256_finish(&sha, hash);
    const char *found = NULL;
    for (size_t i = 0; i < keys->count; i++) {
        unsigned difference = 0;
        for (size_t k = 0; k < SHA256_SIZE; k++)
            difference |= (unsigned)(hash[k] ^ keys->items[i].hash[k]);
        found = difference == 0 ? keys->items[i].id : found;
    }
    return found;
}

const char *keys_bearer_token(const char *authorization)
{
    static const char scheme[] = "Bearer";
    size_t size = sizeof scheme - 1;
    if (!authorization || strncasecmp(authorization, scheme, size) != 0 ||
        authorization[size] != ' ')
        return NULL;
    const char *token = authorization + size;
    token += strspn(token, " ");
    return *token ? token : NULL;
}
