/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/curate/thesaurus.h"

#include <string.h>

#include "base/file.h"
#include "tests/test.h"
#include "tests/tools/scratch.h"

static struct pf_error err;

static int setup(void **state)
{
    err = (struct pf_error)PF_ERROR_INIT;
    return scratch_set_up(state);
}

static struct thesaurus *open_text(const char *text)
{
    struct thesaurus *thesaurus = NULL;
    const char *path = scratch_path("thesaurus.dat");
    assert_ok(file_write(path, text, strlen(text), 0644, 0, &err), &err);
    assert_ok(thesaurus_open(&thesaurus, path, &err), &err);
    return thesaurus;
}

/* Over many seeds each word appears as itself and as each of its synonyms, and as nothing else. */
static void test_vary(void **state)
{
    (void)state;
    struct thesaurus *thesaurus = open_text("UTF-8\n"
                                            "snow|2\n"
                                            "(noun)|flakes|downfall (generic term)\n"
                                            "(verb)|precipitate (similar term)|melt (antonym)\n"
                                            "clear|1\n"
                                            "(verb)|take away\n"
                                            "the|1\n"
                                            "(article)|never\n"
                                            "snow line|1\n"
                                            "(noun)|altitude\n");
    static const char *const expected[] = {"Clear the snows, Ümit!", "take away the snows, Ümit!",
        "Clear the flakes, Ümit!", "take away the flakes, Ümit!", "Clear the precipitate, Ümit!",
        "take away the precipitate, Ümit!"};
    unsigned seen = 0;
    for (uint64_t seed = 0; seed < 300; seed++) {
        AUTO_BUFFER struct buffer text = BUFFER_INIT;
        struct rng rng;
        rng_init(&rng, seed, 0, 0);
        buffer_put_text(&text, expected[0]);
        assert_ok(thesaurus_vary(thesaurus, &rng, &text, &err), &err);
        unsigned which = 0;
        while (which < 6 && strcmp(text.data, expected[which]) != 0)
            which++;
        if (which == 6)
            fail_msg("'%s'", text.data);
        seen |= 1U << which;
    }
    assert_int_equal(seen, 63);
    thesaurus_close(thesaurus);
}

/* An entry that promises more lines than there are, and one without synonyms. */
static void test_short_file(void **state)
{
    (void)state;
    struct thesaurus *thesaurus = open_text("UTF-8\nfog|1\n(noun)\nhaze|5\n(noun)|mist");
    for (uint64_t seed = 0; seed < 50; seed++) {
        AUTO_BUFFER struct buffer text = BUFFER_INIT;
        struct rng rng;
        rng_init(&rng, seed, 0, 0);
        buffer_put_text(&text, "fog haze");
        assert_ok(thesaurus_vary(thesaurus, &rng, &text, &err), &err);
        assert_true(!strcmp(text.data, "fog haze") || !strcmp(text.data, "fog mist"));
    }
    thesaurus_close(thesaurus);
}

static void test_refused(void **state)
{
    (void)state;
    struct thesaurus *thesaurus = NULL;
    assert_int_equal(thesaurus_open(&thesaurus, scratch_path("none"), &err), PF_NOT_FOUND);
    err = (struct pf_error)PF_ERROR_INIT;
    const char *path = scratch_path("empty");
    assert_ok(file_write(path, "UTF-8\n", 6, 0644, 0, &err), &err);
    assert_int_equal(thesaurus_open(&thesaurus, path, &err), PF_CORRUPT);
    assert_non_null(strstr(err.message, "MyThes"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_vary, setup, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_short_file, setup, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_refused, setup, scratch_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
