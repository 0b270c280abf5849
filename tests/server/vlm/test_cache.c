/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "server/vlm/cache.h"
#include "tests/test.h"

static struct cache_key key_of(int number)
{
    unsigned char image[SHA256_SIZE] = {0};
    memcpy(image, &number, sizeof number);
    struct cache_key key;
    cache_make_key(image, "model", "question", 768, &key);
    return key;
}

static void put(struct cache *cache, int number)
{
    char answer[32];
    struct cache_key key = key_of(number);
    snprintf(answer, sizeof answer, "answer %d", number);
    cache_put(cache, &key, answer);
}

static void assert_has(struct cache *cache, int number, int is_there)
{
    char expected[32];
    struct cache_key key = key_of(number);
    const char *answer = cache_get(cache, &key);
    snprintf(expected, sizeof expected, "answer %d", number);
    if (is_there)
        assert_string_equal(answer, expected);
    else
        assert_null(answer);
}

static void test_least_recently_used_goes(void **state)
{
    (void)state;
    struct cache cache;
    struct pf_error err = PF_ERROR_INIT;
    assert_ok(cache_init(&cache, 3, &err), &err);
    assert_has(&cache, 1, 0);
    put(&cache, 1);
    put(&cache, 2);
    put(&cache, 3);
    assert_has(&cache, 1, 1); /* used */
    put(&cache, 4);
    assert_has(&cache, 2, 0);
    assert_has(&cache, 3, 1);
    assert_has(&cache, 1, 1);
    put(&cache, 4); /* again: nobody goes */
    assert_int_equal(cache.count, 3);
    put(&cache, 5);
    assert_has(&cache, 3, 0);
    assert_has(&cache, 5, 1);
    cache_finish(&cache);
}

static void test_a_new_answer_replaces(void **state)
{
    (void)state;
    struct cache cache;
    struct pf_error err = PF_ERROR_INIT;
    assert_ok(cache_init(&cache, 1, &err), &err);
    struct cache_key key = key_of(1);
    cache_put(&cache, &key, "old");
    cache_put(&cache, &key, "new, and longer");
    assert_string_equal(cache_get(&cache, &key), "new, and longer");
    put(&cache, 2);
    assert_has(&cache, 1, 0);
    assert_has(&cache, 2, 1);
    cache_finish(&cache);
}

static void test_none(void **state)
{
    (void)state;
    struct cache cache;
    struct pf_error err = PF_ERROR_INIT;
    assert_ok(cache_init(&cache, 0, &err), &err);
    put(&cache, 1);
    assert_has(&cache, 1, 0);
    cache_finish(&cache);
}

/* Against the plain rule, over many puts and gets. */
static void test_many(void **state)
{
    (void)state;
    enum { MAX = 50, NUMBERS = 120, ROUNDS = 20000 };
    struct cache cache;
    struct pf_error err = PF_ERROR_INIT;
    assert_ok(cache_init(&cache, MAX, &err), &err);
    int used[NUMBERS] = {0}; /* time of last use; 0: not there */
    unsigned random = 1;
    for (int now = 1; now <= ROUNDS; now++) {
        random = random * 1103515245u + 12345u;
        int number = (int)(random >> 16) % NUMBERS;
        if (random >> 31) {
            assert_has(&cache, number, used[number] > 0);
            used[number] = used[number] ? now : 0;
            continue;
        }
        int count = 0, oldest = -1;
        for (int i = 0; i < NUMBERS; i++) {
            count += used[i] > 0;
            if (used[i] && (oldest < 0 || used[i] < used[oldest]))
                oldest = i;
        }
        if (!used[number] && count == MAX)
            used[oldest] = 0;
        used[number] = now;
        put(&cache, number);
    }
    for (int i = 0; i < NUMBERS; i++)
        assert_has(&cache, i, used[i] > 0);
    cache_finish(&cache);
}

static void test_keys(void **state)
{
    (void)state;
    static const unsigned char a[SHA256_SIZE] = {1}, b[SHA256_SIZE] = {2};
    struct cache_key keys[6];
    cache_make_key(a, "m", "q", 768, &keys[0]);
    cache_make_key(b, "m", "q", 768, &keys[1]);
    cache_make_key(a, "mq", "", 768, &keys[2]);
    cache_make_key(a, "m", "r", 768, &keys[3]);
    cache_make_key(a, "m", "q", 512, &keys[4]);
    cache_make_key(a, "m", "q", 768, &keys[5]);
    for (int i = 1; i < 5; i++)
        for (int j = 0; j < i; j++)
            assert_memory_not_equal(&keys[i], &keys[j], sizeof keys[i]);
    assert_memory_equal(&keys[0], &keys[5], sizeof keys[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_least_recently_used_goes),
        cmocka_unit_test(test_a_new_answer_replaces),
        cmocka_unit_test(test_none),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
