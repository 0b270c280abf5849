/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/test.h"

#include "server/http/multipart.h"

static const struct multipart_limits limits = {
    .max_parts = 4, .max_text_bytes = 16, .max_file_bytes = 64};

static const char type[] = "multipart/form-data; boundary=XYZ";

#define BODY                                                                                       \
    "--XYZ\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nhello\r\n"                         \
    "--XYZ\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x y.png\"\r\n"                \
    "Content-Type: image/png\r\n\r\nab\r\n--XY\r\n\0z\r\n--XYZ--\r\n"
static const char body[] = BODY;
enum { BODY_SIZE = sizeof body - 1 };

/* Feeds in pieces of `step` bytes, then ends. */
static enum pf_status parse(
    struct multipart *multipart, const char *bytes, size_t count, size_t step, struct pf_error *err)
{
    for (size_t at = 0; at < count; at += step) {
        size_t size = count - at < step ? count - at : step;
        char *copy = malloc(size);
        memcpy(copy, bytes + at, size);
        enum pf_status status = multipart_feed(multipart, copy, size, err);
        free(copy);
        if (status != PF_OK)
            return status;
    }
    return multipart_end(multipart, err);
}

static enum pf_status parse_text(const char *text, struct pf_error *err)
{
    struct multipart *multipart;
    PF_TRY(multipart_create(&multipart, type, &limits, err));
    enum pf_status status = parse(multipart, text, strlen(text), 7, err);
    multipart_destroy(multipart);
    return status;
}

static void test_pieces(void **state)
{
    (void)state;
    for (size_t step = 1; step <= BODY_SIZE; step++) {
        struct pf_error err = PF_ERROR_INIT;
        struct multipart *multipart;
        assert_ok(multipart_create(&multipart, type, &limits, &err), &err);
        assert_ok(parse(multipart, body, BODY_SIZE, step, &err), &err);
        assert_int_equal(multipart_count(multipart), 2);
        const struct multipart_part *part = multipart_get(multipart, 0);
        assert_string_equal(part->name, "a");
        assert_string_equal(part->data.data, "hello");
        assert_false(part->is_file);
        part = multipart_get(multipart, 1);
        assert_string_equal(part->name, "f");
        assert_string_equal(part->file_name, "x y.png");
        assert_string_equal(part->content_type, "image/png");
        assert_true(part->is_file);
        assert_int_equal(part->data.size, 12);
        assert_memory_equal(part->data.data, "ab\r\n--XY\r\n\0z", 12);
        assert_int_equal(multipart_size(multipart), 17);
        multipart_destroy(multipart);
    }
}

/* Every prefix is an error: only the closing boundary makes a body whole. */
static void test_truncated(void **state)
{
    (void)state;
    for (size_t size = 0; size < BODY_SIZE - 2; size++) {
        struct pf_error err = PF_ERROR_INIT;
        struct multipart *multipart;
        assert_ok(multipart_create(&multipart, type, &limits, &err), &err);
        assert_fails(parse(multipart, body, size, 5, &err), PF_INVALID, "multipart", &err);
        multipart_destroy(multipart);
    }
}

#define PART(headers, data) "--XYZ\r\n" headers "\r\n\r\n" data "\r\n"
#define NAMED(name, data)   PART("Content-Disposition: form-data; name=\"" name "\"", data)
#define END                 "--XYZ--\r\n"

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *part;
    } cases[] = {
        {"", "before its closing boundary"},
        {"junk" NAMED("a", "1") END, "begin with its boundary"},
        {"--XYZjunk\r\n", "behind a boundary"},
        {PART("X-Y: z", "1") END, "without Content-Disposition"},
        {"--XYZ\r\n\r\n1\r\n" END, "without Content-Disposition"},
        {PART("Content-Disposition: form-data", "1") END, "without a name"},
        {PART("Content-Disposition: attachment; name=\"a\"", "1") END, "not form-data"},
        {PART("Content-Disposition: form-data; name=\"\"", "1") END, "0 bytes"},
        {PART("Content-Disposition: form-data; name=\"a", "1") END, "without its end"},
        {PART("Content-Disposition: form-data; name", "1") END, "name=value"},
        {PART("Content-Disposition: form-data; name=a; name=b", "1") END, "two names"},
        {PART("Content-Disposition: form-data; name=\"\xff\"", "1") END, "UTF-8"},
        {PART("Content-Disposition: form-data; name=a\r\nContent-Disposition: form-data; name=b",
             "1") END,
            "two Content-Dispositions"},
        {PART("Content-Disposition: form-data; name=a\r\nContent-Type: multipart/mixed; "
              "boundary=Q",
             "1") END,
            "parts inside parts"},
        {PART("Content-Disposition: form-data; name=a\r\nContent-Transfer-Encoding: base64", "MQ==")
                END,
            "base64"},
        {PART("Content-Disposition : form-data; name=a", "1") END, "malformed"},
        {PART("Content-Disposition: form-data; name=a\nX: y", "1") END, "without CRLF"},
        {PART("Content-Disposition: form-data; name=a\x01", "1") END, "0x01"},
        {NAMED("a", "12345678901234567") END, "'a' is longer than 16"},
        {NAMED("a", "\xff") END, "'a' is not UTF-8"},
        {NAMED("a", "1") NAMED("b", "1") NAMED("c", "1") NAMED("d", "1") NAMED("e", "1") END,
            "more than 4 parts"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pf_error err = PF_ERROR_INIT;
        assert_fails(parse_text(cases[i].text, &err), PF_INVALID, cases[i].part, &err);
    }
}

static void test_taken(void **state)
{
    (void)state;
    static const char *const cases[] = {
        END,
        "\r\n" NAMED("a", "1") END,
        NAMED("a", "") END "epilogue, whatever it holds\r\n--XYZ\r\n",
        NAMED("a", "\r\n\r\n") END,
        NAMED("a", "--XYZ") END,
        PART("content-disposition: FORM-DATA; NAME=a; other=\"q;\\\"q\"", "1") END,
        PART("X-Custom: whatever\r\nContent-Disposition: form-data; name=\"a\"", "1") END,
        PART("Content-Disposition: form-data; name=a\r\nContent-Transfer-Encoding: binary", "1")
            END,
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pf_error err = PF_ERROR_INIT;
        assert_ok(parse_text(cases[i], &err), &err);
    }
}

static void test_endless_headers(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct multipart *multipart;
    assert_ok(multipart_create(&multipart, type, &limits, &err), &err);
    assert_ok(multipart_feed(multipart, "--XYZ\r\n", 7, &err), &err);
    enum pf_status status = PF_OK;
    for (int i = 0; i < 1000 && status == PF_OK; i++)
        status = multipart_feed(multipart, "X: yyyyyyyyyyyyy\r\n", 18, &err);
    assert_int_equal(status, PF_INVALID);
    assert_non_null(strstr(err.message, "over 4096 bytes"));
    /* It stays failed. */
    err = (struct pf_error)PF_ERROR_INIT;
    assert_int_equal(multipart_feed(multipart, END, strlen(END), &err), PF_INVALID);
    assert_int_equal(multipart_end(multipart, &err), PF_INVALID);
    multipart_destroy(multipart);
}

static void test_boundary(void **state)
{
    (void)state;
    static const char *const taken[] = {
        "multipart/form-data; boundary=a",
        "multipart/form-data; charset=utf-8; BOUNDARY=----WebKitFormBoundaryABC123",
        "multipart/form-data; boundary=\"gc0p4Jq0M2Yt08jU534c0p:?/\"",
    };
    static const struct {
        const char *text;
        enum pf_status status;
    } refused[] = {
        {"", PF_UNSUPPORTED},
        {"application/json", PF_UNSUPPORTED},
        {"multipart/mixed; boundary=a", PF_UNSUPPORTED},
        {"multipart/form-data", PF_INVALID},
        {"multipart/form-data; boundary=", PF_INVALID},
        {"multipart/form-data; boundary=\"\"", PF_INVALID},
        {"multipart/form-data; boundary=\"a", PF_INVALID},
        {"multipart/form-data; boundary=a; boundary=b", PF_INVALID},
        {"multipart/form-data; boundary=a\\b", PF_INVALID},
        {"multipart/form-data; boundary=\"a b\"", PF_INVALID},
        {"multipart/form-data, boundary=a", PF_UNSUPPORTED},
        {"multipart/form-data; boundary=a b", PF_INVALID},
        {"multipart/form-data; "
         "boundary=12345678901234567890123456789012345678901234567890123456789012345678901",
            PF_INVALID},
    };
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        struct pf_error err = PF_ERROR_INIT;
        struct multipart *multipart;
        assert_ok(multipart_create(&multipart, taken[i], &limits, &err), &err);
        multipart_destroy(multipart);
    }
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct pf_error err = PF_ERROR_INIT;
        struct multipart *multipart;
        assert_int_equal(
            multipart_create(&multipart, refused[i].text, &limits, &err), refused[i].status);
    }
}

static void test_failed_field(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct multipart *multipart;
    const char *text = NAMED("long", "12345678901234567") END;
    assert_ok(multipart_create(&multipart, type, &limits, &err), &err);
    assert_int_equal(parse(multipart, text, strlen(text), 1000, &err), PF_INVALID);
    assert_string_equal(multipart_failed_field(multipart), "long");
    multipart_destroy(multipart);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_taken),
        cmocka_unit_test(test_endless_headers),
        cmocka_unit_test(test_boundary),
        cmocka_unit_test(test_failed_field),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
