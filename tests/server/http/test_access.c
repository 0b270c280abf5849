/* SPDX-License-Identifier: Apache-2.0 */
/* API keys and origins. */
#include <stdio.h>
#include <string.h>

#include "tests/test.h"

#include "base/sha256.h"
#include "server/http/cors.h"
#include "server/http/keys.h"

static void hash_text(const char *key, char ret_hex[SHA256_HEX_SIZE])
{
    struct sha256 sha;
    unsigned char digest[SHA256_SIZE];
    sha256_init(&sha);
    sha256_update(&sha, key, strlen(key));
    sha256_finish(&sha, digest);
    sha256_hex(digest, ret_hex);
}

static void test_find(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct keys *keys;
    char a[SHA256_HEX_SIZE], b[SHA256_HEX_SIZE], text[512];
    hash_text("first", a);
    hash_text("second", b);
    snprintf(text, sizeof text, "  # comment\n\none %s  \r\n\ttwo\t%s", a, b);
    assert_ok(keys_parse(&keys, text, strlen(text), &err), &err);
    assert_string_equal(keys_find(keys, "first"), "one");
    assert_string_equal(keys_find(keys, "second"), "two");
    assert_null(keys_find(keys, ""));
    assert_null(keys_find(keys, "First"));
    assert_null(keys_find(keys, a));
    keys_destroy(keys);
}

static void test_mistakes(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct keys *keys;
    static const char *const texts[] = {"", "#\n", "one", "one two", "one\n", "one  ",
        "one 2bd806c97f0e00af1a1fc3328fa763a9269723c8db8fac4f93af71db186d6e9",
        "one 2bd806c97f0e00af1a1fc3328fa763a9269723c8db8fac4f93af71db186d6e900",
        "one 2bd806c97f0e00af1a1fc3328fa763a9269723c8db8fac4f93af71db186d6e9g",
        "one.two 2bd806c97f0e00af1a1fc3328fa763a9269723c8db8fac4f93af71db186d6e90"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_fails(keys_parse(&keys, texts[i], strlen(texts[i]), &err), PF_INVALID, "keys", &err);
    assert_fails(keys_parse(&keys, "a\0b", 3, &err), PF_INVALID, "zero byte", &err);
}

static void test_token(void **state)
{
    (void)state;
    assert_string_equal(keys_bearer_token("Bearer x"), "x");
    assert_string_equal(keys_bearer_token("bEARER   x y"), "x y");
    static const char *const none[] = {"", "Bearer", "Bearer ", "Bearerx", "Basic x", "x"};
    assert_null(keys_bearer_token(NULL));
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_null(keys_bearer_token(none[i]));
}

static void test_same_host(void **state)
{
    (void)state;
    assert_true(cors_is_same_host("http://a.example:8080", "a.example:8080"));
    assert_true(cors_is_same_host("https://A.example", "a.example"));
    assert_true(cors_is_same_host("http://a.example", "a.example:80"));
    assert_true(cors_is_same_host("https://a.example", "a.example:443"));
    assert_true(cors_is_same_host("http://[::1]:1", "[::1]:1"));
    static const char *const pairs[][2] = {{"http://a.example", "a.example:8080"},
        {"http://a.example", "b.example"}, {"http://a.example", "a.example:443"},
        {"http://a.example.evil", "a.example"}, {"null", "a.example"}, {"http://", "a.example"},
        {"ftp://a.example", "a.example"}, {"a.example", "a.example"}, {"http://x", ""}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        assert_false(cors_is_same_host(pairs[i][0], pairs[i][1]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_token),
        cmocka_unit_test(test_same_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
