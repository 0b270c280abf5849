/* SPDX-License-Identifier: Apache-2.0 */
/* A value with parameters, `type; name=token; name="quoted"`, is walked by one cursor. Browsers
 * write a quote inside a quoted string as %22, curl as \": both are taken (the first as it stands).
 */
#include "server/http/multipart_header.h"

#include <string.h>
#include <strings.h>

#include "base/utf8.h"

struct cursor {
    const char *at;
    const char *end;
};

static void skip_space(struct cursor *cursor)
{
    while (cursor->at < cursor->end && (*cursor->at == ' ' || *cursor->at == '\t'))
        cursor->at++;
}

/* tchar of RFC 9110. */
static int is_token_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

/* bchars of RFC 2046 without the space, which may not end a boundary and which nobody sends. */
static int is_boundary_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != 0 && strchr("'()+_,-./:=?", c) != NULL);
}

static size_t take_token(struct cursor *cursor, const char **ret_token)
{
    *ret_token = cursor->at;
    while (cursor->at < cursor->end && is_token_char(*cursor->at))
        cursor->at++;
    return (size_t)(cursor->at - *ret_token);
}

/* Unquoted values may hold any byte but separators: boundaries with ':' or '=' come unquoted. */
static size_t take_bare_value(struct cursor *cursor, char *ret_text, size_t capacity)
{
    size_t size = 0;
    while (cursor->at < cursor->end && *cursor->at != ';' && *cursor->at != ' ' &&
           *cursor->at != '\t' && *cursor->at != '"') {
        if (size + 1 < capacity)
            ret_text[size] = *cursor->at;
        size++;
        cursor->at++;
    }
    ret_text[size < capacity ? size : capacity - 1] = 0;
    return size;
}

/* Returns the value's size, SIZE_MAX when the closing quote is missing. */
static size_t take_quoted_value(struct cursor *cursor, char *ret_text, size_t capacity)
{
    size_t size = 0;
    for (cursor->at++; cursor->at < cursor->end; cursor->at++) {
        char c = *cursor->at;
        if (c == '"') {
            cursor->at++;
            ret_text[size < capacity ? size : capacity - 1] = 0;
            return size;
        }
        if (c == '\\' && cursor->at + 1 < cursor->end &&
            (cursor->at[1] == '"' || cursor->at[1] == '\\'))
            c = *++cursor->at;
        if (size + 1 < capacity)
            ret_text[size] = c;
        size++;
    }
    return SIZE_MAX;
}

/* Takes "; name=value". *ret_have is 0 at the end of the line. A value that does not fit is refused
 * by its size. */
static enum pf_status take_parameter(struct cursor *cursor, const char **ret_name,
    size_t *ret_name_size, char *ret_value, size_t capacity, int *ret_have, struct pf_error *err)
{
    *ret_have = 0;
    skip_space(cursor);
    if (cursor->at == cursor->end)
        return PF_OK;
    if (*cursor->at != ';')
        return pf_fail(err, PF_INVALID, "multipart header: expected ';' before a parameter");
    cursor->at++;
    skip_space(cursor);
    if (cursor->at == cursor->end)
        return PF_OK; /* a trailing ';' */
    *ret_name_size = take_token(cursor, ret_name);
    if (*ret_name_size == 0 || cursor->at == cursor->end || *cursor->at != '=')
        return pf_fail(err, PF_INVALID, "multipart header: expected name=value");
    cursor->at++;

    size_t size;
    if (cursor->at < cursor->end && *cursor->at == '"')
        size = take_quoted_value(cursor, ret_value, capacity);
    else
        size = take_bare_value(cursor, ret_value, capacity);
    if (size == SIZE_MAX)
        return pf_fail(err, PF_INVALID, "multipart header: a quoted value without its end");
    if (size >= capacity)
        return pf_fail(err, PF_INVALID, "multipart header: '%.*s' has %zu bytes, at most %zu",
            (int)*ret_name_size, *ret_name, size, capacity - 1);
    *ret_have = 1;
    return PF_OK;
}

static int name_is(const char *name, size_t size, const char *expected)
{
    return size == strlen(expected) && strncasecmp(name, expected, size) == 0;
}

enum pf_status multipart_parse_boundary(
    const char *content_type, char ret_boundary[MULTIPART_BOUNDARY_MAX + 1], struct pf_error *err)
{
    static const char media_type[] = "multipart/form-data";
    struct cursor cursor = {content_type, content_type + strlen(content_type)};
    size_t type_size = strcspn(content_type, "; \t");
    if (!name_is(content_type, type_size, media_type))
        return pf_fail(
            err, PF_UNSUPPORTED, "Content-Type is '%.100s', expected %s", content_type, media_type);
    cursor.at += type_size;

    char boundary[MULTIPART_BOUNDARY_MAX + 1] = "";
    int found = 0;
    for (;;) {
        const char *name;
        size_t name_size;
        char value[MULTIPART_BOUNDARY_MAX + 1];
        int have;
        PF_TRY(take_parameter(&cursor, &name, &name_size, value, sizeof value, &have, err));
        if (!have)
            break;
        if (!name_is(name, name_size, "boundary"))
            continue;
        if (found++)
            return pf_fail(err, PF_INVALID, "Content-Type: two boundary parameters");
        memcpy(boundary, value, strlen(value) + 1);
    }
    if (!found || !*boundary)
        return pf_fail(err, PF_INVALID, "Content-Type: %s without a boundary", media_type);
    for (const char *at = boundary; *at; at++)
        if (!is_boundary_char(*at))
            return pf_fail(
                err, PF_INVALID, "Content-Type: byte 0x%02x in the boundary", (unsigned char)*at);
    memcpy(ret_boundary, boundary, sizeof boundary);
    return PF_OK;
}

static enum pf_status parse_disposition(
    struct cursor cursor, struct multipart_part *part, struct pf_error *err)
{
    if (!name_is(cursor.at, strcspn(cursor.at, "; \t\r"), "form-data"))
        return pf_fail(err, PF_INVALID, "multipart: Content-Disposition is not form-data");
    cursor.at += strlen("form-data");
    int has_name = 0;
    for (;;) {
        const char *name;
        size_t name_size;
        char value[MULTIPART_FILE_NAME_MAX + 1];
        int have;
        PF_TRY(take_parameter(&cursor, &name, &name_size, value, sizeof value, &have, err));
        if (!have)
            break;
        size_t size = strlen(value);
        if (name_is(name, name_size, "name")) {
            if (has_name++)
                return pf_fail(err, PF_INVALID, "multipart: a part with two names");
            if (size == 0 || size > MULTIPART_NAME_MAX || !utf8_is_valid(value, size, NULL))
                return pf_fail(err, PF_INVALID,
                    "multipart: a field name of %zu bytes, expected 1 to %d of UTF-8", size,
                    MULTIPART_NAME_MAX);
            memcpy(part->name, value, size + 1);
        } else if (name_is(name, name_size, "filename")) {
            if (part->is_file)
                return pf_fail(err, PF_INVALID, "multipart: a part with two file names");
            memcpy(part->file_name, value, size + 1);
            part->is_file = 1;
        } else if (name_is(name, name_size, "filename*")) {
            part->is_file = 1;
        }
    }
    return has_name ? PF_OK : pf_fail(err, PF_INVALID, "multipart: a part without a name");
}

static enum pf_status parse_type(
    struct cursor cursor, struct multipart_part *part, struct pf_error *err)
{
    size_t size = (size_t)(cursor.end - cursor.at);
    if (part->content_type[0])
        return pf_fail(err, PF_INVALID, "multipart: a part with two Content-Types");
    if (size == 0 || size > MULTIPART_TYPE_MAX)
        return pf_fail(err, PF_INVALID, "multipart: Content-Type of %zu bytes, expected 1 to %d",
            size, MULTIPART_TYPE_MAX);
    if (size >= 10 && strncasecmp(cursor.at, "multipart/", 10) == 0)
        return pf_fail(err, PF_INVALID, "multipart: parts inside parts are not taken");
    memcpy(part->content_type, cursor.at, size);
    part->content_type[size] = 0;
    return PF_OK;
}

static enum pf_status parse_encoding(struct cursor cursor, struct pf_error *err)
{
    size_t size = (size_t)(cursor.end - cursor.at);
    if (name_is(cursor.at, size, "binary") || name_is(cursor.at, size, "8bit") ||
        name_is(cursor.at, size, "7bit"))
        return PF_OK;
    return pf_fail(err, PF_INVALID, "multipart: Content-Transfer-Encoding '%.*s' is not taken",
        (int)(size < 40 ? size : 40), cursor.at);
}

static enum pf_status parse_line(
    struct cursor line, struct multipart_part *part, int *has_disposition, struct pf_error *err)
{
    const char *name;
    size_t name_size = take_token(&line, &name);
    if (name_size == 0 || line.at == line.end || *line.at != ':')
        return pf_fail(err, PF_INVALID, "multipart: a part's header line is malformed");
    line.at++;
    skip_space(&line);
    while (line.end > line.at && (line.end[-1] == ' ' || line.end[-1] == '\t'))
        line.end--;
    if (name_is(name, name_size, "Content-Disposition")) {
        if ((*has_disposition)++)
            return pf_fail(err, PF_INVALID, "multipart: a part with two Content-Dispositions");
        return parse_disposition(line, part, err);
    }
    if (name_is(name, name_size, "Content-Type"))
        return parse_type(line, part, err);
    if (name_is(name, name_size, "Content-Transfer-Encoding"))
        return parse_encoding(line, err);
    return PF_OK; /* RFC 7578 §4.8: others are ignored */
}

enum pf_status multipart_parse_headers(
    const char *lines, size_t count, struct multipart_part *ret_part, struct pf_error *err)
{
    int has_disposition = 0;
    for (size_t at = 0; at < count; at++)
        if ((unsigned char)lines[at] < 0x20 && !strchr("\r\n\t", lines[at] ? lines[at] : 'x'))
            return pf_fail(err, PF_INVALID, "multipart: byte 0x%02x in a part's headers",
                (unsigned char)lines[at]);
    for (size_t start = 0; start < count;) {
        const char *end = memchr(lines + start, '\r', count - start);
        if (!end || end + 1 >= lines + count || end[1] != '\n' ||
            memchr(lines + start, '\n', (size_t)(end - lines) - start))
            return pf_fail(err, PF_INVALID, "multipart: a part's header line without CRLF");
        struct cursor line = {lines + start, end};
        PF_TRY(parse_line(line, ret_part, &has_disposition, err));
        start = (size_t)(end - lines) + 2;
    }
    if (!has_disposition)
        return pf_fail(err, PF_INVALID, "multipart: a part without Content-Disposition");
    return PF_OK;
}
