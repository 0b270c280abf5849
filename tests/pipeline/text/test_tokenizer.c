/* SPDX-License-Identifier: Apache-2.0 */
/* The tokenizer on a table of six merges: ids can be worked out by hand. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/test.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "pipeline/text/tokenizer.h"

/* ids:                          512  513     514   515     516   517    start 518, end 519 */
static const char table[] = "#version: 0.2\nh a\nz e</w>\nha ze</w>\nt h\nth e</w>\na a\n";

enum { VOCABULARY = 520, START = 518, END = 519, CONTEXT = 8, THREADS = 4, THREAD_ROUNDS = 200 };

static struct tokenizer *create(void)
{
    struct tokenizer *tokenizer = NULL;
    struct pf_error err = PF_ERROR_INIT;
    assert_ok(tokenizer_create(&tokenizer, table, strlen(table), VOCABULARY, &err), &err);
    assert_int_equal(tokenizer_vocabulary_size(tokenizer), VOCABULARY);
    return tokenizer;
}

static int64_t byte_id(char c, int is_last)
{
    return c - '!' + (is_last ? 256 : 0);
}

static void test_encodes_and_pads(void **state)
{
    (void)state;
    struct tokenizer *tokenizer = create();
    struct pf_error err = PF_ERROR_INIT;
    int64_t ids[CONTEXT];
    size_t count = 0;
    assert_ok(tokenizer_encode(tokenizer, " The  HAZE!", 11, CONTEXT, ids, &count, &err), &err);
    const int64_t expected[CONTEXT] = {START, 516, 514, byte_id('!', 1), END, END, END, END};
    assert_memory_equal(ids, expected, sizeof expected);
    assert_int_equal(count, 3);
    assert_ok(tokenizer_encode(tokenizer, NULL, 0, CONTEXT, ids, &count, &err), &err);
    const int64_t empty[CONTEXT] = {START, END, END, END, END, END, END, END};
    assert_memory_equal(ids, empty, sizeof empty);
    assert_int_equal(count, 0);
    tokenizer_destroy(tokenizer);
    tokenizer_destroy(NULL);
}

static void test_cuts_and_counts(void **state)
{
    (void)state;
    struct tokenizer *tokenizer = create();
    struct pf_error err = PF_ERROR_INIT;
    int64_t ids[CONTEXT + 1];
    size_t count = 0;
    ids[CONTEXT] = -1;
    assert_ok(
        tokenizer_encode(tokenizer, "the the the the the the", 23, CONTEXT, ids, &count, &err),
        &err);
    const int64_t full[CONTEXT] = {START, 516, 516, 516, 516, 516, 516, END};
    assert_memory_equal(ids, full, sizeof full);
    assert_int_equal(count, 6);
    assert_ok(
        tokenizer_encode(tokenizer, "the the the the the the haze", 28, CONTEXT, ids, &count, &err),
        &err);
    assert_memory_equal(ids, full, sizeof full);
    assert_int_equal(count, 7);
    assert_ok(tokenizer_encode(tokenizer, "the", 3, 2, ids, NULL, &err), &err);
    assert_int_equal(ids[0], START);
    assert_int_equal(ids[1], END);
    assert_int_equal(ids[CONTEXT], -1);
    tokenizer_destroy(tokenizer);
}

static void test_special_words(void **state)
{
    (void)state;
    struct tokenizer *tokenizer = create();
    struct pf_error err = PF_ERROR_INIT;
    int64_t ids[CONTEXT];
    static const char text[] = "<|endoftext|>the<|StartOfText|>";
    assert_ok(tokenizer_encode(tokenizer, text, strlen(text), CONTEXT, ids, NULL, &err), &err);
    const int64_t expected[CONTEXT] = {START, END, 516, START, END, END, END, END};
    assert_memory_equal(ids, expected, sizeof expected);
    tokenizer_destroy(tokenizer);
}

static void test_embedded_nul(void **state)
{
    (void)state;
    struct tokenizer *tokenizer = create();
    struct pf_error err = PF_ERROR_INIT;
    int64_t ids[CONTEXT];
    size_t count = 0;
    assert_ok(tokenizer_encode(tokenizer, "the\0the", 7, CONTEXT, ids, &count, &err), &err);
    const int64_t expected[CONTEXT] = {START, 516, 188 + 256, 516, END, END, END, END};
    assert_memory_equal(ids, expected, sizeof expected);
    assert_int_equal(count, 3);
    tokenizer_destroy(tokenizer);
}

static void test_longest_texts(void **state)
{
    (void)state;
    struct tokenizer *tokenizer = create();
    struct pf_error err = PF_ERROR_INIT;
    AUTO_FREE char *text = malloc(TOKENIZER_TEXT_MAX + 1);
    assert_non_null(text);
    int64_t ids[CONTEXT];
    size_t count = 0;
    memset(text, 'a', TOKENIZER_TEXT_MAX + 1);
    assert_ok(
        tokenizer_encode(tokenizer, text, TOKENIZER_TEXT_MAX, CONTEXT, ids, &count, &err), &err);
    /* "a a" pairs up from the left; the last one carries the word end, so its neighbour stays. */
    assert_int_equal(count, TOKENIZER_TEXT_MAX / 2 + 1);
    assert_int_equal(ids[1], 517);
    assert_fails(
        tokenizer_encode(tokenizer, text, TOKENIZER_TEXT_MAX + 1, CONTEXT, ids, NULL, &err),
        PF_INVALID, "text of 65537 bytes, at most 65536", &err);
    /* The text that grows most: each dotted I is three bytes in lower case. */
    for (size_t i = 0; i < TOKENIZER_TEXT_MAX; i += 2)
        memcpy(text + i, "\xc4\xb0", 2);
    assert_ok(
        tokenizer_encode(tokenizer, text, TOKENIZER_TEXT_MAX, CONTEXT, ids, &count, &err), &err);
    assert_int_equal(count, TOKENIZER_TEXT_MAX / 2 * 3);
    tokenizer_destroy(tokenizer);
}

static void test_bad_calls(void **state)
{
    (void)state;
    struct tokenizer *tokenizer = create(), *none = NULL;
    struct pf_error err = PF_ERROR_INIT;
    int64_t ids[CONTEXT] = {0};
    assert_fails(tokenizer_encode(tokenizer, "a\xff", 2, CONTEXT, ids, NULL, &err), PF_INVALID,
        "byte 0xff at offset 1", &err);
    assert_fails(tokenizer_encode(tokenizer, "a", 1, 1, ids, NULL, &err), PF_INVALID,
        "context of 1 tokens", &err);
    assert_int_equal(ids[0], 0);
    assert_fails(tokenizer_create(&none, table, strlen(table), 513, &err), PF_INVALID,
        "vocabulary of 513", &err);
    assert_fails(tokenizer_create(&none, table, strlen(table), 521, &err), PF_INVALID,
        "has 6 merges, a vocabulary of 521 needs 7", &err);
    assert_fails(tokenizer_create(&none, table, strlen(table), SIZE_MAX, &err), PF_INVALID,
        "merges are taken", &err);
    assert_fails(tokenizer_create(&none, "\x1f\x8b broken", 9, 514, &err),
        TEST_HAS_ZLIB ? PF_CORRUPT : PF_UNSUPPORTED, "gzip", &err);
    assert_fails(tokenizer_create_from_file(&none, "/nonexistent/merges.txt", VOCABULARY, &err),
        PF_NOT_FOUND, "/nonexistent/merges.txt", &err);
    assert_null(none);
    assert_ok(tokenizer_create(&none, NULL, 0, 514, &err), &err); /* bytes alone are a vocabulary */
    tokenizer_destroy(none);
    tokenizer_destroy(tokenizer);
}

static void test_from_file(void **state)
{
    (void)state;
    char folder[] = "/tmp/promptfix-tokenizer-XXXXXX", path[64];
    struct tokenizer *tokenizer = NULL;
    struct pf_error err = PF_ERROR_INIT;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/merges.txt", folder);
    assert_ok(file_write(path, table, strlen(table), 0600, 0, &err), &err);
    assert_ok(tokenizer_create_from_file(&tokenizer, path, VOCABULARY, &err), &err);
    int64_t ids[CONTEXT];
    assert_ok(tokenizer_encode(tokenizer, "haze", 4, CONTEXT, ids, NULL, &err), &err);
    assert_int_equal(ids[1], 514);
    tokenizer_destroy(tokenizer);
    unlink(path);
    rmdir(folder);
}

static void *encode_often(void *argument)
{
    const struct tokenizer *tokenizer = argument;
    const int64_t expected[CONTEXT] = {START, 516, 514, END, END, END, END, END};
    for (int i = 0; i < THREAD_ROUNDS; i++) {
        int64_t ids[CONTEXT];
        if (tokenizer_encode(tokenizer, "the haze", 8, CONTEXT, ids, NULL, NULL) != PF_OK ||
            memcmp(ids, expected, sizeof ids) != 0)
            return "an encoding differs";
    }
    return NULL;
}

static void test_threads_share_one(void **state)
{
    (void)state;
    struct tokenizer *tokenizer = create();
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, encode_often, tokenizer), 0);
    for (int i = 0; i < THREADS; i++) {
        void *complaint;
        assert_int_equal(pthread_join(threads[i], &complaint), 0);
        assert_null(complaint);
    }
    tokenizer_destroy(tokenizer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_encodes_and_pads),
        cmocka_unit_test(test_cuts_and_counts),
        cmocka_unit_test(test_special_words),
        cmocka_unit_test(test_embedded_nul),
        cmocka_unit_test(test_longest_texts),
        cmocka_unit_test(test_bad_calls),
        cmocka_unit_test(test_from_file),
        cmocka_unit_test(test_threads_share_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
