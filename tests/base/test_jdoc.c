/* SPDX-License-Identifier: Apache-2.0 */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/test.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/jdoc.h"

/* Copies into an exact allocation, so that sanitizers see a read one byte too far. */
static enum pf_status parse_bytes(
    struct jdoc **ret_doc, const char *text, size_t count, struct pf_error *err)
{
    AUTO_FREE char *copy = malloc(count ? count : 1);
    assert_non_null(copy);
    memcpy(copy, text, count);
    return jdoc_parse(ret_doc, copy, count, err);
}

static struct jdoc *parse(const char *text)
{
    struct pf_error err = PF_ERROR_INIT;
    struct jdoc *doc = NULL;
    assert_ok(parse_bytes(&doc, text, strlen(text), &err), &err);
    return doc;
}

static void check_corrupt(const char *text, const char *part)
{
    struct pf_error err = PF_ERROR_INIT;
    struct jdoc *doc = NULL;
    assert_fails(parse_bytes(&doc, text, strlen(text), &err), PF_CORRUPT, part, &err);
    assert_null(doc);
}

static void test_tree(void **state)
{
    (void)state;
    struct jdoc *doc = parse(" {\"a\" : [1, -2.5e1 ,\"x\"], \"b\":{} ,\"c\":null,\"\":true,\n"
                             "\"d\":false,\"e\":[ ]}\t\r");
    const struct jdoc_value *root = jdoc_root(doc);
    assert_int_equal(root->type, JDOC_OBJECT);
    assert_int_equal(root->size, 6);
    assert_null(root->key);
    assert_null(root->next);
    const struct jdoc_value *a = root->first;
    assert_string_equal(a->key, "a");
    assert_int_equal(a->size, 3);
    assert_int_equal(a->first->integer, 1);
    assert_null(a->first->key);
    assert_true(a->first->next->number == -25 && !a->first->next->is_integer);
    assert_string_equal(a->first->next->next->string, "x");
    assert_null(a->first->next->next->next);
    assert_int_equal(jdoc_get(root, "b")->type, JDOC_OBJECT);
    assert_null(jdoc_get(root, "b")->first);
    assert_int_equal(jdoc_get(root, "c")->type, JDOC_NULL);
    assert_int_equal(jdoc_get(root, "")->type, JDOC_TRUE);
    assert_int_equal(jdoc_get(root, "d")->type, JDOC_FALSE);
    assert_int_equal(jdoc_get(root, "e")->type, JDOC_ARRAY);
    assert_null(jdoc_get(root, "f"));
    assert_null(jdoc_get(a, "a"));
    assert_null(jdoc_get(NULL, "a"));
    jdoc_destroy(doc);
    jdoc_destroy(NULL);
}

static void test_typed_members(void **state)
{
    (void)state;
    struct jdoc *doc = parse("{\"s\":\"t\",\"i\":7,\"n\":7.5,\"z\":null}");
    const struct jdoc_value *root = jdoc_root(doc);
    assert_string_equal(jdoc_get_string(root, "s", "-"), "t");
    assert_string_equal(jdoc_get_string(root, "i", "-"), "-");
    assert_null(jdoc_get_string(root, "none", NULL));
    assert_int_equal(jdoc_get_integer(root, "i", -1), 7);
    assert_int_equal(jdoc_get_integer(root, "n", -1), -1);
    assert_int_equal(jdoc_get_integer(root, "z", -1), -1);
    assert_true(jdoc_get_number(root, "n", 0) == 7.5);
    assert_true(jdoc_get_number(root, "i", 0) == 7);
    assert_true(jdoc_get_number(root, "s", -3) == -3);
    jdoc_destroy(doc);
}

static void check_string(const char *text, const char *expected, size_t size)
{
    struct jdoc *doc = parse(text);
    const struct jdoc_value *root = jdoc_root(doc);
    assert_int_equal(root->type, JDOC_STRING);
    assert_int_equal(root->size, size);
    assert_memory_equal(root->string, expected, size + 1);
    jdoc_destroy(doc);
}

static void test_strings(void **state)
{
    (void)state;
    check_string("\"\"", "", 0);
    check_string("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t", 8);
    check_string(
        "\"\\u0041\\u00e4\\u20AC\\ud83d\\uDE00\"", "A\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 10);
    check_string("\"a\\u0000b\"", "a\0b", 3);
    check_string("\"\xc3\xa4\x7f\xf0\x9f\x98\x80\"", "\xc3\xa4\x7f\xf0\x9f\x98\x80", 7);
    check_corrupt("\"", "unfinished string at byte 1");
    check_corrupt("\"a\\", "unknown escape at byte 3");
    check_corrupt("\"\\x\"", "unknown escape");
    check_corrupt("\"a\nb\"", "control character in a string at byte 2");
    check_corrupt("\"\xff\"", "invalid UTF-8 at byte 1");
    check_corrupt("\"\xc3\"", "invalid UTF-8");
    check_corrupt("\"\xed\xa0\x80\"", "invalid UTF-8");
    check_corrupt("\"\\u12g4\"", "four hex digits at byte 5");
    check_corrupt("\"\\u12", "four hex digits");
    check_corrupt("\"\\ud83d\"", "unpaired surrogate");
    check_corrupt("\"\\ud83dx\"", "unpaired surrogate");
    check_corrupt("\"\\ud83d\\n\"", "unpaired surrogate");
    check_corrupt("\"\\ude00\"", "unpaired surrogate");
    check_corrupt("\"\\ude00\\ude00\"", "unpaired surrogate");
    check_corrupt("\"a\x1f\"", "control character in a string at byte 2");
    check_corrupt("\"\\ud83d\\ud83d\"", "unpaired surrogate");
}

static void check_number(const char *text, double number, int is_integer, int64_t integer)
{
    struct jdoc *doc = parse(text);
    const struct jdoc_value *root = jdoc_root(doc);
    assert_int_equal(root->type, JDOC_NUMBER);
    assert_memory_equal(&root->number, &number, sizeof number);
    assert_int_equal(root->is_integer, is_integer);
    assert_int_equal(root->integer, integer);
    jdoc_destroy(doc);
}

static void test_numbers(void **state)
{
    (void)state;
    check_number("0", 0, 1, 0);
    check_number("-0", -0.0, 1, 0);
    check_number("10", 10, 1, 10);
    check_number("1.0", 1, 0, 0);
    check_number("1e2", 100, 0, 0);
    check_number("-1.5E-2", -0.015, 0, 0);
    check_number("2E+1", 20, 0, 0);
    check_number("9223372036854775807", 9223372036854775808.0, 1, INT64_MAX);
    check_number("9223372036854775808", 9223372036854775808.0, 0, 0);
    check_number("-9223372036854775808", -9223372036854775808.0, 1, INT64_MIN);
    check_number("1.7976931348623157e308", DBL_MAX, 0, 0);
    check_number("1e-400", 0, 0, 0);
    /* Just above half way between two doubles, told only by the last digit. */
    check_number("9007199254740993.00000000000000000000000000000000001", 9007199254740994.0, 0, 0);
    check_corrupt("1e999", "number out of range at byte 0");
    check_corrupt("-1e309", "number out of range");
    check_corrupt("01", "leading zero");
    check_corrupt("-", "expected a value at byte 1");
    check_corrupt("+1", "expected a value at byte 0");
    check_corrupt(".5", "expected a value");
    check_corrupt("1.", "expected a digit at byte 2");
    check_corrupt("1.e3", "expected a digit");
    check_corrupt("1e", "expected a digit");
    check_corrupt("1e+", "expected a digit");
    check_corrupt("0x10", "text behind the value at byte 1");
    check_corrupt("Infinity", "expected a value");
    check_corrupt("NaN", "expected a value");
    check_corrupt("-inf", "expected a value");
}

static void test_structure_is_strict(void **state)
{
    (void)state;
    check_corrupt("", "expected a value at byte 0");
    check_corrupt("  ", "expected a value at byte 2");
    check_corrupt("{", "expected a string");
    check_corrupt("[", "expected a value");
    check_corrupt("[1", "expected ','");
    check_corrupt("[1,]", "expected a value at byte 3");
    check_corrupt("[,1]", "expected a value");
    check_corrupt("[1 2]", "expected ',' or a closing bracket at byte 3");
    check_corrupt("[1}", "expected ','");
    check_corrupt("{\"a\":1,}", "expected a string at byte 7");
    check_corrupt("{\"a\"}", "expected ':' at byte 4");
    check_corrupt("{\"a\":}", "expected a value");
    check_corrupt("{a:1}", "expected a string");
    check_corrupt("{\"a\":1]", "expected ','");
    check_corrupt("1 2", "text behind the value at byte 2");
    check_corrupt("{}{}", "text behind the value");
    check_corrupt("tru", "expected a value");
    check_corrupt("True", "expected a value");
    check_corrupt("nulll", "text behind the value");
    check_corrupt("\xef\xbb\xbf{}", "expected a value at byte 0");
    check_corrupt("[1]/**/", "text behind the value");
    struct pf_error err = PF_ERROR_INIT;
    struct jdoc *doc = NULL;
    assert_fails(parse_bytes(&doc, "1\0", 2, &err), PF_CORRUPT, "text behind the value", &err);
}

static void test_depth_is_bounded(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    char text[2 * JDOC_DEPTH_MAX + 2];
    struct jdoc *doc = NULL;
    memset(text, '[', JDOC_DEPTH_MAX);
    memset(text + JDOC_DEPTH_MAX, ']', JDOC_DEPTH_MAX);
    assert_ok(parse_bytes(&doc, text, (size_t)2 * JDOC_DEPTH_MAX, &err), &err);
    jdoc_destroy(doc);
    doc = NULL;
    memset(text, '[', JDOC_DEPTH_MAX + 1);
    memset(text + JDOC_DEPTH_MAX + 1, ']', JDOC_DEPTH_MAX + 1);
    assert_fails(parse_bytes(&doc, text, sizeof text, &err), PF_CORRUPT, "nested too deep", &err);
    /* Siblings don't add up. */
    AUTO_BUFFER struct buffer wide = BUFFER_INIT;
    buffer_put_text(&wide, "[[]");
    for (int i = 0; i < 1000; i++)
        buffer_put_text(&wide, ",[{}]");
    buffer_put_text(&wide, "]");
    assert_ok(parse_bytes(&doc, wide.data, wide.size, &err), &err);
    assert_int_equal(jdoc_root(doc)->size, 1001);
    jdoc_destroy(doc);
}

static void test_values_are_bounded(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct jdoc *doc = NULL;
    size_t count = (size_t)2 * JDOC_VALUES_MAX + 1;
    AUTO_FREE char *text = malloc(count);
    assert_non_null(text);
    for (size_t i = 0; i < count; i++)
        text[i] = i % 2 ? '1' : ',';
    text[0] = '[';
    text[count - 1] = ']';
    assert_fails(jdoc_parse(&doc, text, count, &err), PF_CORRUPT, "more than 1048576 values", &err);
}

/* Objects of every size around the switch from a scan to the sorted index. */
static void test_members_are_found(void **state)
{
    (void)state;
    for (int count = 0; count <= 40; count++) {
        AUTO_BUFFER struct buffer text = BUFFER_INIT;
        for (int i = 0; i < count; i++)
            buffer_put_format(&text, "%s\"k%d\":%d", i ? "," : "{", i * 7 % 41, i);
        buffer_put_text(&text, count ? "}" : "{}");
        struct jdoc *doc = parse(text.data);
        for (int i = 0; i < 41; i++) {
            char key[16];
            snprintf(key, sizeof key, "k%d", i * 7 % 41);
            assert_int_equal(jdoc_get_integer(jdoc_root(doc), key, -1), i < count ? i : -1);
        }
        assert_null(jdoc_get(jdoc_root(doc), "k"));
        assert_null(jdoc_get(jdoc_root(doc), "k00"));
        int order = 0;
        for (const struct jdoc_value *at = jdoc_root(doc)->first; at; at = at->next)
            assert_int_equal(at->integer, order++);
        jdoc_destroy(doc);
    }
}

static void test_duplicates_are_refused(void **state)
{
    (void)state;
    check_corrupt("{\"a\":1,\"a\":2}", "duplicate key 'a'");
    check_corrupt("{\"\":1,\"\":2}", "duplicate key ''");
    check_corrupt("{\"A\":1,\"\\u0041\":2}", "duplicate key 'A'");
    check_corrupt("[{\"x\":{\"b\":1,\"c\":2,\"b\":3}}]", "duplicate key 'b'");
    for (int count = 10; count < 24; count++) {
        AUTO_BUFFER struct buffer text = BUFFER_INIT;
        for (int i = 0; i < count; i++)
            buffer_put_format(&text, "%s\"k%d\":%d", i ? "," : "{", i, i);
        buffer_put_text(&text, ",\"k3\":0}");
        check_corrupt(text.data, "duplicate key 'k3'");
    }
}

/* A key that holds a NUL is another key than its beginning. */
static void test_keys_with_nul(void **state)
{
    (void)state;
    struct jdoc *doc = parse("{\"a\\u0000b\":1,\"a\":2,\"a\\u0000c\":3}");
    const struct jdoc_value *root = jdoc_root(doc);
    assert_int_equal(jdoc_get_integer(root, "a", -1), 2);
    assert_int_equal(root->first->key_size, 3);
    jdoc_destroy(doc);
    check_corrupt("{\"a\\u0000b\":1,\"a\\u0000b\":2}", "duplicate key 'a'");
}

/* As many keys as a large vocabulary, in several orders and with a long common beginning: a
 * quadratic check would take minutes. */
static void test_large_objects_are_fast(void **state)
{
    (void)state;
    enum { KEYS = 200000 };
    clock_t end = clock() + 20 * CLOCKS_PER_SEC; /* of this process, however busy the machine is */
    static const unsigned steps[] = {1, KEYS - 1, 77777};
    for (size_t s = 0; s < COUNT_OF(steps); s++) {
        AUTO_BUFFER struct buffer text = BUFFER_INIT;
        for (unsigned i = 0, key = 0; i < KEYS; i++, key = (key + steps[s]) % KEYS)
            buffer_put_format(
                &text, "%s\"model.diffusion_model.%06u\":%u", i ? "," : "{", key, key);
        buffer_put_text(&text, "}");
        struct jdoc *doc = parse(text.data);
        assert_int_equal(jdoc_root(doc)->size, KEYS);
        for (unsigned i = 0; i < KEYS; i++) {
            char key[64];
            snprintf(key, sizeof key, "model.diffusion_model.%06u", i);
            if (jdoc_get_integer(jdoc_root(doc), key, -1) != i)
                fail_msg("%s not found", key);
        }
        jdoc_destroy(doc);
    }
    assert_true(clock() < end);
}

/* What is written reads back as the same, to the last bit of a number. */
static void test_write(void **state)
{
    (void)state;
    static const struct {
        const char *text, *written;
    } cases[] = {
        {" { } ", "{}"},
        {"[ 1 , [ ] , { \"a\" : { \"b\" : [ null ] } } ]", "[1,[],{\"a\":{\"b\":[null]}}]"},
        {"[true,false,null,-9223372036854775808,0]", "[true,false,null,-9223372036854775808,0]"},
        {"{\"a\\u0000b\":1,\"a\":2}", "{\"a\\u0000b\":1,\"a\":2}"},
        {"\"\\u00e9\\n\\\"\\\\\"", "\"é\\n\\\"\\\\\""},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_BUFFER struct buffer out = BUFFER_INIT;
        struct jdoc *doc = parse(cases[i].text);
        jdoc_put(&out, jdoc_root(doc));
        assert_string_equal(out.data, cases[i].written);
        jdoc_destroy(doc);
    }
    static const double numbers[] = {0.1, -1e300, 5e-324, DBL_MAX, 3.5};
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        AUTO_BUFFER struct buffer text = BUFFER_INIT, out = BUFFER_INIT;
        buffer_put_format(&text, "[%.17g]", numbers[i]);
        struct jdoc *doc = parse(text.data);
        jdoc_put(&out, jdoc_root(doc));
        jdoc_destroy(doc);
        doc = parse(out.data);
        assert_true(jdoc_root(doc)->first->number == numbers[i]);
        jdoc_destroy(doc);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tree),
        cmocka_unit_test(test_typed_members),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_structure_is_strict),
        cmocka_unit_test(test_depth_is_bounded),
        cmocka_unit_test(test_values_are_bounded),
        cmocka_unit_test(test_members_are_found),
        cmocka_unit_test(test_duplicates_are_refused),
        cmocka_unit_test(test_keys_with_nul),
        cmocka_unit_test(test_large_objects_are_fast),
        cmocka_unit_test(test_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
