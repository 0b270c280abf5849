/* SPDX-License-Identifier: Apache-2.0 */
/* One pass over the text, without going back. Two kinds of memory, both freed with the document:
 * values lie in chunks, and all decoded strings in one block as long as the text, since a string is
 * never longer decoded than quoted.
 *
 * Objects of SORTED_MIN members and more get an index sorted by key. It finds duplicates
 * (neighbours) and members in O(n log n) and O(log n) whatever the keys are: unlike a hash table it
 * can't be attacked with colliding keys and needs no secret. */
#include "base/jdoc.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

enum { SORTED_MIN = 16, CHUNK_VALUES_MIN = 16, CHUNK_VALUES_MAX = 4096 };

struct chunk {
    struct chunk *next;
    size_t used, capacity;
    struct jdoc_value values[];
};

struct index {
    struct index *next;
    const struct jdoc_value *members[];
};

struct jdoc {
    struct chunk *chunks;
    struct index *indexes;
    char *strings;
    const struct jdoc_value *root;
};

struct parser {
    struct jdoc *doc;
    const char *text;
    size_t at, count;
    char *string_end; /* free part of doc->strings */
    size_t value_count;
    int depth;
    struct pf_error *err;
};

static enum pf_status parse_value(struct parser *parser, struct jdoc_value *value);

static enum pf_status fail(struct parser *parser, const char *what)
{
    return pf_fail(parser->err, PF_CORRUPT, "JSON: %s at byte %zu", what, parser->at);
}

static enum pf_status fail_memory(struct parser *parser)
{
    return pf_fail(parser->err, PF_NOMEM, "JSON: out of memory at byte %zu", parser->at);
}

/* The next byte, or -1 at the end. */
static int peek(const struct parser *parser)
{
    return parser->at < parser->count ? (unsigned char)parser->text[parser->at] : -1;
}

static int accept(struct parser *parser, char byte)
{
    if (peek(parser) != byte)
        return 0;
    parser->at++;
    return 1;
}

static void skip_space(struct parser *parser)
{
    int byte = peek(parser);
    while (byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t') {
        parser->at++;
        byte = peek(parser);
    }
}

static size_t skip_digits(struct parser *parser)
{
    size_t start = parser->at;
    while (peek(parser) >= '0' && peek(parser) <= '9')
        parser->at++;
    return parser->at - start;
}

static enum pf_status create_value(struct parser *parser, struct jdoc_value **ret_value)
{
    struct chunk *chunk = parser->doc->chunks;
    if (parser->value_count == JDOC_VALUES_MAX)
        return pf_fail(parser->err, PF_CORRUPT, "JSON: more than %d values at byte %zu",
            JDOC_VALUES_MAX, parser->at);
    if (!chunk || chunk->used == chunk->capacity) {
        size_t capacity = chunk ? chunk->capacity * 2 : CHUNK_VALUES_MIN;
        if (capacity > CHUNK_VALUES_MAX)
            capacity = CHUNK_VALUES_MAX;
        struct chunk *fresh = malloc(sizeof *fresh + capacity * sizeof *fresh->values);
        if (!fresh)
            return fail_memory(parser);
        fresh->next = chunk;
        fresh->used = 0;
        fresh->capacity = capacity;
        parser->doc->chunks = chunk = fresh;
    }
    *ret_value = &chunk->values[chunk->used++];
    **ret_value = (struct jdoc_value){.type = JDOC_NULL};
    parser->value_count++;
    return PF_OK;
}

static enum pf_status parse_hex4(struct parser *parser, uint32_t *ret_unit)
{
    uint32_t unit = 0;
    for (int i = 0; i < 4; i++) {
        static const char digits[] = "0123456789abcdef0123456789ABCDEF";
        int byte = peek(parser);
        const char *digit = byte > 0 ? strchr(digits, byte) : NULL;
        if (!digit)
            return fail(parser, "expected four hex digits");
        unit = unit << 4 | (uint32_t)((digit - digits) % 16);
        parser->at++;
    }
    *ret_unit = unit;
    return PF_OK;
}

/* Behind "\u": one unit, or a surrogate pair. */
static enum pf_status parse_unicode_escape(struct parser *parser)
{
    uint32_t code_point = 0;
    PF_TRY(parse_hex4(parser, &code_point));
    if (code_point >= 0xD800 && code_point <= 0xDFFF) {
        uint32_t low = 0;
        if (code_point >= 0xDC00 || !accept(parser, '\\') || !accept(parser, 'u'))
            return fail(parser, "unpaired surrogate");
        PF_TRY(parse_hex4(parser, &low));
        if (low < 0xDC00 || low > 0xDFFF)
            return fail(parser, "unpaired surrogate");
        code_point = 0x10000 + ((code_point - 0xD800) << 10) + (low - 0xDC00);
    }
    parser->string_end += utf8_encode(code_point, parser->string_end);
    return PF_OK;
}

static enum pf_status parse_escape(struct parser *parser)
{
    static const char names[] = "\"\\/bfnrt";
    static const char bytes[] = "\"\\/\b\f\n\r\t";
    if (accept(parser, 'u'))
        return parse_unicode_escape(parser);
    int byte = peek(parser);
    const char *name = byte > 0 ? strchr(names, byte) : NULL;
    if (!name)
        return fail(parser, "unknown escape");
    *parser->string_end++ = bytes[name - names];
    parser->at++;
    return PF_OK;
}

static enum pf_status parse_string(struct parser *parser, const char **ret_string, size_t *ret_size)
{
    if (!accept(parser, '"'))
        return fail(parser, "expected a string");
    char *start = parser->string_end;
    for (;;) {
        int byte = peek(parser);
        if (byte < 0)
            return fail(parser, "unfinished string");
        if (byte < 0x20)
            return fail(parser, "control character in a string");
        if (accept(parser, '"'))
            break;
        if (accept(parser, '\\')) {
            PF_TRY(parse_escape(parser));
            continue;
        }
        uint32_t code_point;
        const char *from = parser->text + parser->at;
        size_t taken = utf8_decode(from, parser->count - parser->at, &code_point);
        if (code_point == UTF8_INVALID)
            return fail(parser, "invalid UTF-8");
        memcpy(parser->string_end, from, taken);
        parser->string_end += taken;
        parser->at += taken;
    }
    *ret_string = start;
    *ret_size = (size_t)(parser->string_end - start);
    *parser->string_end++ = '\0';
    return PF_OK;
}

/* strtod() wants a terminated text: the free part of the strings is at least as long as what is
 * left of the text, and one more. */
static enum pf_status convert_number(struct parser *parser, size_t start, struct jdoc_value *value)
{
    size_t size = parser->at - start;
    memcpy(parser->string_end, parser->text + start, size);
    parser->string_end[size] = '\0';
    value->type = JDOC_NUMBER;
    value->number = strtod(parser->string_end, NULL);
    if (!isfinite(value->number)) {
        parser->at = start;
        return fail(parser, "number out of range");
    }
    if (strcspn(parser->string_end, ".eE") != size)
        return PF_OK;
    errno = 0;
    long long integer = strtoll(parser->string_end, NULL, 10);
    value->is_integer = errno == 0;
    value->integer = value->is_integer ? integer : 0;
    return PF_OK;
}

static enum pf_status parse_number(struct parser *parser, struct jdoc_value *value)
{
    size_t start = parser->at;
    accept(parser, '-');
    int starts_with_zero = peek(parser) == '0';
    size_t digits = skip_digits(parser);
    if (digits == 0)
        return fail(parser, "expected a value");
    if (starts_with_zero && digits > 1)
        return fail(parser, "number with a leading zero");
    if (accept(parser, '.') && skip_digits(parser) == 0)
        return fail(parser, "expected a digit");
    if (accept(parser, 'e') || accept(parser, 'E')) {
        if (!accept(parser, '+'))
            accept(parser, '-');
        if (skip_digits(parser) == 0)
            return fail(parser, "expected a digit");
    }
    return convert_number(parser, start, value);
}

static enum pf_status parse_literal(struct parser *parser, const char *literal)
{
    size_t size = strlen(literal);
    if (parser->count - parser->at < size || memcmp(parser->text + parser->at, literal, size) != 0)
        return fail(parser, "expected a value");
    parser->at += size;
    return PF_OK;
}

static int compare_keys(const char *a, size_t a_size, const char *b, size_t b_size)
{
    int order = memcmp(a, b, a_size < b_size ? a_size : b_size);
    return order != 0 ? order : (a_size > b_size) - (a_size < b_size);
}

static int compare_members(const void *a, const void *b)
{
    const struct jdoc_value *x = *(const struct jdoc_value *const *)a;
    const struct jdoc_value *y = *(const struct jdoc_value *const *)b;
    return compare_keys(x->key, x->key_size, y->key, y->key_size);
}

static enum pf_status fail_duplicate(struct parser *parser, const struct jdoc_value *member)
{
    return pf_fail(parser->err, PF_CORRUPT, "JSON: duplicate key '%.64s' before byte %zu",
        member->key, parser->at);
}

static enum pf_status sort_members(struct parser *parser, struct jdoc_value *object)
{
    struct index *index = malloc(sizeof *index + object->size * sizeof *index->members);
    if (!index)
        return fail_memory(parser);
    index->next = parser->doc->indexes;
    parser->doc->indexes = index;
    size_t count = 0;
    for (const struct jdoc_value *member = object->first; member; member = member->next)
        index->members[count++] = member;
    qsort(index->members, count, sizeof *index->members, compare_members);
    for (size_t i = 1; i < count; i++)
        if (compare_members(&index->members[i - 1], &index->members[i]) == 0)
            return fail_duplicate(parser, index->members[i]);
    object->sorted = index->members;
    return PF_OK;
}

static enum pf_status check_members(struct parser *parser, struct jdoc_value *object)
{
    if (object->size >= SORTED_MIN)
        return sort_members(parser, object);
    for (const struct jdoc_value *a = object->first; a; a = a->next)
        for (const struct jdoc_value *b = a->next; b; b = b->next)
            if (compare_members(&a, &b) == 0)
                return fail_duplicate(parser, b);
    return PF_OK;
}

static enum pf_status parse_child(
    struct parser *parser, const struct jdoc_value *parent, struct jdoc_value **ret_child)
{
    struct jdoc_value *child;
    PF_TRY(create_value(parser, &child));
    skip_space(parser);
    if (parent->type == JDOC_OBJECT) {
        PF_TRY(parse_string(parser, &child->key, &child->key_size));
        skip_space(parser);
        if (!accept(parser, ':'))
            return fail(parser, "expected ':'");
        skip_space(parser);
    }
    PF_TRY(parse_value(parser, child));
    skip_space(parser);
    *ret_child = child;
    return PF_OK;
}

/* Behind the opening bracket. */
static enum pf_status parse_children(struct parser *parser, struct jdoc_value *parent)
{
    char close = parent->type == JDOC_OBJECT ? '}' : ']';
    if (parser->depth == JDOC_DEPTH_MAX)
        return fail(parser, "nested too deep");
    parser->depth++;
    skip_space(parser);
    struct jdoc_value *last = NULL;
    while (!accept(parser, close)) {
        struct jdoc_value *child = NULL;
        if (last && !accept(parser, ','))
            return fail(parser, "expected ',' or a closing bracket");
        PF_TRY(parse_child(parser, parent, &child));
        if (last)
            last->next = child;
        else
            parent->first = child;
        last = child;
        parent->size++;
    }
    parser->depth--;
    return parent->type == JDOC_OBJECT ? check_members(parser, parent) : PF_OK;
}

static enum pf_status parse_value(struct parser *parser, struct jdoc_value *value)
{
    switch (peek(parser)) {
    case '{':
        value->type = JDOC_OBJECT;
        parser->at++;
        return parse_children(parser, value);
    case '[':
        value->type = JDOC_ARRAY;
        parser->at++;
        return parse_children(parser, value);
    case '"':
        value->type = JDOC_STRING;
        return parse_string(parser, &value->string, &value->size);
    case 't':
        value->type = JDOC_TRUE;
        return parse_literal(parser, "true");
    case 'f':
        value->type = JDOC_FALSE;
        return parse_literal(parser, "false");
    case 'n':
        return parse_literal(parser, "null");
    default:
        return parse_number(parser, value);
    }
}

static enum pf_status parse_document(struct parser *parser)
{
    parser->doc->strings = malloc(parser->count + 1);
    if (!parser->doc->strings)
        return fail_memory(parser);
    parser->string_end = parser->doc->strings;
    struct jdoc_value *root;
    PF_TRY(create_value(parser, &root));
    skip_space(parser);
    PF_TRY(parse_value(parser, root));
    skip_space(parser);
    if (parser->at != parser->count)
        return fail(parser, "text behind the value");
    parser->doc->root = root;
    return PF_OK;
}

enum pf_status jdoc_parse(
    struct jdoc **ret_doc, const char *text, size_t count, struct pf_error *err)
{
    struct jdoc *doc = calloc(1, sizeof *doc);
    if (!doc)
        return pf_fail(err, PF_NOMEM, "JSON: out of memory");
    struct parser parser = {.doc = doc, .text = text, .count = count, .err = err};
    enum pf_status status = parse_document(&parser);
    if (status != PF_OK) {
        jdoc_destroy(doc);
        return status;
    }
    *ret_doc = doc;
    return PF_OK;
}

void jdoc_destroy(struct jdoc *doc)
{
    if (!doc)
        return;
    for (struct chunk *chunk = doc->chunks, *next; chunk; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
    for (struct index *index = doc->indexes, *next; index; index = next) {
        next = index->next;
        free(index);
    }
    free(doc->strings);
    free(doc);
}

const struct jdoc_value *jdoc_root(const struct jdoc *doc)
{
    return doc->root;
}

static const struct jdoc_value *find_sorted(
    const struct jdoc_value *object, const char *key, size_t key_size)
{
    size_t low = 0;
    size_t high = object->size;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct jdoc_value *member = object->sorted[middle];
        int order = compare_keys(key, key_size, member->key, member->key_size);
        if (order == 0)
            return member;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

const struct jdoc_value *jdoc_get(const struct jdoc_value *object, const char *key)
{
    if (!object || object->type != JDOC_OBJECT)
        return NULL;
    size_t key_size = strlen(key);
    if (object->sorted)
        return find_sorted(object, key, key_size);
    for (const struct jdoc_value *member = object->first; member; member = member->next)
        if (compare_keys(key, key_size, member->key, member->key_size) == 0)
            return member;
    return NULL;
}

const char *jdoc_get_string(const struct jdoc_value *object, const char *key, const char *fallback)
{
    const struct jdoc_value *member = jdoc_get(object, key);
    return member && member->type == JDOC_STRING ? member->string : fallback;
}

int64_t jdoc_get_integer(const struct jdoc_value *object, const char *key, int64_t fallback)
{
    const struct jdoc_value *member = jdoc_get(object, key);
    return member && member->is_integer ? member->integer : fallback;
}

double jdoc_get_number(const struct jdoc_value *object, const char *key, double fallback)
{
    const struct jdoc_value *member = jdoc_get(object, key);
    return member && member->type == JDOC_NUMBER ? member->number : fallback;
}
