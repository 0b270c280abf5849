/* SPDX-License-Identifier: Apache-2.0 */
/* The tokenizer on CLIP's own table, which isn't in the repository: against the golden case where
 * there is one, and against ids that an independent implementation of the definition gave. Skipped
 * where TEST_GOLDEN_DIR is missing; tools/fetch-merges.sh gets the table. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/test.h"

#include "base/file.h"
#include "base/jdoc.h"
#include "pipeline/text/tokenizer.h"

enum { VOCABULARY = 49408, CONTEXT = 77, IDS_MAX = 40, FILE_MAX = 1 << 20 };

static const char merges_path[] = TEST_GOLDEN_DIR "/tiny/merges.txt";
static const char tokens_path[] = TEST_GOLDEN_DIR "/tiny/tokens.json";

static const struct {
    const char *text;
    int64_t ids[IDS_MAX]; /* 0 behind the last */
} cases[] = {
    {"\xf0\x9f\x91\xa8\xe2\x80\x8d\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa7\xe2\x80\x8d\xf0\x9f"
     "\x91\xa6 family",
        {25023, 26304, 48938, 4244, 964, 355, 1315}},
    {"\xf0\x9f\x98\x80", {7334}},
    {"\xe8\xaf\xb7\xe5\x8e\xbb\xe9\x99\xa4\xe5\x9b\xbe\xe7\x89\x87\xe4\xb8\xad\xe7\x9a\x84\xe9\x9b"
     "\xbe\xe9\x9c\xbe\xe3\x80\x82",
        {164, 107, 115, 161, 236, 119, 165, 247, 97, 39027, 122, 163, 231, 229, 19759, 255, 163,
            248, 226, 165, 249, 122, 165, 250, 378, 38000}},
    {"\xc3\x85ngstr\xc3\xb6m \xc3\x89T\xc3\x89 na\xc3\xafvet\xc3\xa9",
        {23176, 10352, 807, 7255, 332, 3459, 39694, 1097, 35689, 12294, 4166}},
    {"e\xcc\x81 vs \xc3\xa9", {324, 136, 479, 1547, 4166}},
    {"I'm sure they'll say we'd've won, it's 'theirs'",
        {328, 880, 1650, 889, 1342, 1451, 649, 1896, 1200, 1749, 267, 585, 568, 713, 43834, 262}},
    {"IT'S DON'T", {585, 568, 847, 713}},
    {"2024-05-16 12:30",
        {273, 271, 273, 275, 268, 271, 276, 268, 272, 277, 272, 273, 281, 274, 271}},
    {"\xd9\xa1\xd9\xa2\xd9\xa3 \xe2\x85\xbb \xc2\xbd",
        {149, 350, 149, 351, 149, 352, 158, 227, 375, 33613}},
    {"a &lt;b&gt; &amp;amp; caf&eacute; &#x1F600;", {320, 283, 321, 285, 261, 15304, 7334}},
    {"&amp;lt;p&amp;gt;", {283, 335, 285}},
    {"\xce\x9f\xce\x94\xce\x9f\xce\xa3 \xce\xa3\xce\x91\xce\xa3",
        {138, 123, 138, 112, 138, 123, 139, 480, 139, 225, 138, 109, 139, 480}},
    {"\xc4\xb0stanbul", {328, 16384, 11231}},
    {"a\x01"
     "b\x7f",
        {320, 445, 321, 477}},
    {"a\xe2\x80\x8b"
     "b \xef\xbb\xbf"
     "c",
        {320, 9844, 321, 171, 119, 379, 322}},
    {"supercalifragilisticexpialidocious", {1642, 2857, 13093, 2076, 5868, 26850, 835, 639, 38466}},
    {"!!!?"
     "??...",
        {11194, 5195, 22641}},
    {"\xef\xbc\xa6\xef\xbc\xb5\xef\xbc\xac\xef\xbc\xac\xe3\x80\x80\xef\xbd\x97\xef\xbd\x89\xef\xbd"
     "\x84\xef\xbd\x94\xef\xbd\x88",
        {171, 121, 228, 171, 121, 243, 171, 121, 234, 171, 121, 490, 171, 121, 245, 171, 121, 231,
            171, 121, 226, 171, 121, 242, 171, 121, 486}},
    {"\xef\xbf\xbd", {39802}},
};

static struct tokenizer *create_or_skip(void)
{
    struct tokenizer *tokenizer = NULL;
    struct pf_error err = PF_ERROR_INIT;
    if (access(merges_path, R_OK) != 0) {
        print_message("skipped: no %s\n", merges_path);
        skip();
    }
    assert_ok(tokenizer_create_from_file(&tokenizer, merges_path, VOCABULARY, &err), &err);
    return tokenizer;
}

static void test_golden_texts(void **state)
{
    (void)state;
    struct tokenizer *tokenizer = create_or_skip();
    struct pf_error err = PF_ERROR_INIT;
    AUTO_BUFFER struct buffer file = BUFFER_INIT;
    struct jdoc *doc = NULL;
    assert_ok(file_read(tokens_path, FILE_MAX, &file, &err), &err);
    assert_ok(jdoc_parse(&doc, file.data, file.size, &err), &err);
    assert_true(jdoc_root(doc)->size > 0);
    for (const struct jdoc_value *item = jdoc_root(doc)->first; item; item = item->next) {
        const struct jdoc_value *text = jdoc_get(item, "text"), *ids = jdoc_get(item, "ids");
        int64_t got[CONTEXT];
        assert_int_equal(ids->size, CONTEXT);
        assert_ok(
            tokenizer_encode(tokenizer, text->string, text->size, CONTEXT, got, NULL, &err), &err);
        size_t at = 0;
        for (const struct jdoc_value *id = ids->first; id; id = id->next, at++)
            if (got[at] != id->integer)
                fail_msg("'%s': id %zu is %lld, expected %lld", text->string, at,
                    (long long)got[at], (long long)id->integer);
    }
    jdoc_destroy(doc);
    tokenizer_destroy(tokenizer);
}

static void test_other_texts(void **state)
{
    (void)state;
    struct tokenizer *tokenizer = create_or_skip();
    struct pf_error err = PF_ERROR_INIT;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t got[CONTEXT];
        size_t count = 0;
        assert_ok(tokenizer_encode(
                      tokenizer, cases[i].text, strlen(cases[i].text), CONTEXT, got, &count, &err),
            &err);
        for (size_t at = 0; at < count; at++)
            if (got[1 + at] != cases[i].ids[at])
                fail_msg("'%s': id %zu is %lld, expected %lld", cases[i].text, at,
                    (long long)got[1 + at], (long long)cases[i].ids[at]);
        assert_int_equal(cases[i].ids[count], 0);
        assert_int_equal(got[1 + count], VOCABULARY - 1);
    }
    tokenizer_destroy(tokenizer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_texts),
        cmocka_unit_test(test_other_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
