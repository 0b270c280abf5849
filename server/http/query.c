/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/query.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

enum pf_status query_decode(const char *what, const char *text, size_t count, int plus_is_space,
    char *ret_text, size_t capacity, struct pf_error *err)
{
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '%') {
            int high = i + 1 < count ? hex_digit(text[i + 1]) : -1;
            int low = i + 2 < count ? hex_digit(text[i + 2]) : -1;
            if (high < 0 || low < 0)
                return pf_fail(err, PF_INVALID, "%s: bad percent escape at byte %zu", what, i);
            c = (unsigned char)(high * 16 + low);
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        if (c < 0x20 || c == 0x7f)
            return pf_fail(err, PF_INVALID, "%s: control character 0x%02x", what, c);
        if (used + 1 >= capacity)
            return pf_fail(err, PF_INVALID, "%s: longer than %zu bytes", what, capacity - 1);
        ret_text[used++] = (char)c;
    }
    ret_text[used] = 0;
    if (!utf8_is_valid(ret_text, used, NULL))
        return pf_fail(err, PF_INVALID, "%s: not valid UTF-8", what);
    return PF_OK;
}

/* Decodes one "name=value" to `*at` and moves it on. */
static enum pf_status parse_pair(struct query *query, const char *text, size_t count, char **at,
    const char *end, struct pf_error *err)
{
    const char *equals = memchr(text, '=', count);
    size_t name_size = equals ? (size_t)(equals - text) : count;
    if (query->count == QUERY_PAIRS_MAX)
        return pf_fail(err, PF_INVALID, "query: more than %d parameters", QUERY_PAIRS_MAX);

    struct query_pair pair = {*at, NULL};
    PF_TRY(query_decode("query", text, name_size, 1, *at, (size_t)(end - *at), err));
    *at += strlen(*at) + 1;
    pair.value = *at;
    if (equals)
        PF_TRY(query_decode(
            "query", equals + 1, count - name_size - 1, 1, *at, (size_t)(end - *at), err));
    else
        **at = 0;
    *at += strlen(*at) + 1;

    if (!*pair.name)
        return pf_fail(err, PF_INVALID, "query: a parameter without a name");
    if (query_get(query, pair.name))
        return pf_fail(err, PF_INVALID, "query: parameter '%.64s' is given twice", pair.name);
    query->pairs[query->count++] = pair;
    return PF_OK;
}

enum pf_status query_parse(
    struct query *ret_query, const char *text, size_t count, struct pf_error *err)
{
    struct query query = QUERY_INIT;
    if (count > QUERY_TEXT_MAX)
        return pf_fail(err, PF_INVALID, "query: %zu bytes, at most %d", count, QUERY_TEXT_MAX);
    /* Each piece of n bytes needs at most n + 2 with two terminators. */
    size_t capacity = 2 * count + 2;
    query.text = malloc(capacity);
    if (!query.text)
        return pf_fail(err, PF_NOMEM, "query: out of memory");

    char *at = query.text;
    enum pf_status status = PF_OK;
    for (size_t start = 0; start < count && status == PF_OK;) {
        const char *ampersand = memchr(text + start, '&', count - start);
        size_t size = ampersand ? (size_t)(ampersand - text) - start : count - start;
        if (size > 0)
            status = parse_pair(&query, text + start, size, &at, query.text + capacity, err);
        start += size + 1;
    }
    if (status != PF_OK) {
        query_finish(&query);
        return status;
    }
    *ret_query = query;
    return PF_OK;
}

void query_finish(struct query *query)
{
    free(query->text);
    *query = (struct query)QUERY_INIT;
}

const char *query_get(const struct query *query, const char *name)
{
    for (size_t i = 0; i < query->count; i++)
        if (strcmp(query->pairs[i].name, name) == 0)
            return query->pairs[i].value;
    return NULL;
}
