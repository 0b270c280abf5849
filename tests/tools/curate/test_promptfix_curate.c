/* SPDX-License-Identifier: Apache-2.0 */
/* The program from end to end, with ppm in and out, so that it needs no libvips. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/jdoc.h"
#include "tests/test.h"
#include "tests/tools/curate/scenery.h"
#include "tests/tools/process.h"
#include "tools/data/shards.h"
#include "tools/data/tasks.h"

enum { PAIRS = 60, SIDE = 48 };

static struct pf_error err;
static char folder[64], photos[100], objects[100];

static int setup(void **state)
{
    (void)state;
    char command[300], path[200];
    static const char label[] =
        "{\"imagePath\":\"car.ppm\",\"shapes\":[{\"label\":\"red car\","
        "\"points\":[[10,10],[90,20],[80,90],[20,80]],\"shape_type\":\"polygon\"}]}";
    snprintf(folder, sizeof folder, "/tmp/promptfix-curate-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(photos, sizeof photos, "%s/photos", folder);
    snprintf(objects, sizeof objects, "%s/objects", folder);
    snprintf(command, sizeof command, "mkdir '%s' '%s'", photos, objects);
    if (system(command) != 0)
        return -1;
    for (unsigned i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s/scene%u.ppm", photos, i);
        scenery_save(path, 150, 120, i);
    }
    snprintf(path, sizeof path, "%s/car.ppm", objects);
    scenery_save(path, 100, 100, 9);
    snprintf(path, sizeof path, "%s/car.json", objects);
    return file_write(path, label, strlen(label), 0600, 0, &err) != PF_OK;
}

static int teardown(void **state)
{
    (void)state;
    char command[100];
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    return system(command);
}

/* Runs with the usual options and these, NULL-terminated; the exit code. */
static int run(const char *const *more)
{
    char *argv[40] = {getenv("CURATE"), "--photos", photos, "--objects", objects, "--count", "60",
        "--size", "48", "--shard-size", "25", "--format", "ppm", "--seed", "7", "--combine", "0.5"};
    int count = 0;
    while (argv[count])
        count++;
    for (; *more; more++)
        argv[count++] = (char *)(uintptr_t)*more;
    struct process process;
    process_start(&process, argv);
    int code = process_wait(&process);
    process_finish(&process);
    return code;
}

static int run_into(const char *out, const char *jobs, const char *set)
{
    return run((const char *const[]){"--out", out, "--jobs", jobs, "--paraphrases", set, NULL});
}

static void read_shard(const char *out, int shard, struct buffer *ret)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%06d.tar", out, shard);
    buffer_clear(ret);
    assert_ok(file_read(path, 64 << 20, ret, &err), &err);
}

static void test_jobs_change_nothing(void **state)
{
    (void)state;
    char one[100], three[100];
    AUTO_BUFFER struct buffer a = BUFFER_INIT, b = BUFFER_INIT;
    snprintf(one, sizeof one, "%s/one", folder);
    snprintf(three, sizeof three, "%s/three", folder);
    assert_int_equal(run_into(one, "1", "train"), 0);
    assert_int_equal(run_into(three, "3", "train"), 0);
    for (int shard = 0; shard < 3; shard++) {
        read_shard(one, shard, &a);
        read_shard(three, shard, &b);
        assert_int_equal(a.size, b.size);
        assert_memory_equal(a.data, b.data, a.size);
    }
}

static int asks_for(const struct jdoc_value *root, const char *list, const char *task)
{
    const struct jdoc_value *items = jdoc_get(root, list);
    for (const struct jdoc_value *item = items->first; item; item = item->next)
        if (!strcmp(
                item->type == JDOC_STRING ? item->string : jdoc_get_string(item, "task", ""), task))
            return 1;
    return 0;
}

/* What must hold of a pair by what its json says. */
static void check_pair(const struct shards *shards, size_t index, int *ret_kinds)
{
    struct sample sample = {0};
    struct jdoc *doc;
    size_t size;
    const char *json = (const char *)shards_file(shards, index, "json", &size);
    assert_ok(shards_read(shards, index, &sample, &err), &err);
    assert_ok(jdoc_parse(&doc, json, size, &err), &err);
    const struct jdoc_value *root = jdoc_root(doc);
    assert_true(sample.instruction[0] != '\0');
    assert_int_equal(sample.input.width, SIDE);
    int is_asked = 0;
    for (int task = 0; task < TASK_COUNT; task++)
        is_asked |= asks_for(root, "asked", task_name((enum task)task)) &&
                    asks_for(root, "degradations", task_name((enum task)task));
    float most = 0.0f, outside = 0.0f;
    for (int i = 0; i < 3 * SIDE * SIDE; i++) {
        float step = fabsf(sample.input.rgb[i] - sample.target.rgb[i]);
        most = fmaxf(most, step);
        if (sample.mask && sample.mask[i % (SIDE * SIDE)] == 0.0f)
            outside = fmaxf(outside, step);
    }
    /* words that find nothing to do change nothing; a mask holds all that changes */
    if (is_asked)
        assert_true(most > 0.0f);
    else
        assert_true(most == 0.0f);
    assert_true(outside <= 1.01f / 255.0f);
    ret_kinds[0] += !is_asked;
    ret_kinds[1] += sample.mask != NULL;
    ret_kinds[2] += jdoc_get(root, "degradations")->size > 1;
    ret_kinds[3] += jdoc_get(root, "asked")->size > 1;
    ret_kinds[4] += sample.auxiliary[0] == '\0';
    ret_kinds[5] += strstr(sample.instruction, "red car") != NULL;
    jdoc_destroy(doc);
    sample_finish(&sample);
}

static void test_pairs_hold_what_they_say(void **state)
{
    (void)state;
    char out[100];
    struct shards *shards;
    int kinds[6] = {0};
    snprintf(out, sizeof out, "%s/one", folder);
    assert_ok(shards_open(&shards, out, &err), &err);
    assert_int_equal(shards_count(shards), PAIRS);
    for (size_t i = 0; i < PAIRS; i++)
        check_pair(shards, i, kinds);
    for (int i = 0; i < 6; i++)
        if (kinds[i] == 0)
            fail_msg("no pair of kind %d among %d", i, PAIRS);
    shards_close(shards);
}

/* Other words for the same pictures. */
static void test_held_out_words(void **state)
{
    (void)state;
    char one[100], held[100];
    struct shards *a, *b;
    snprintf(one, sizeof one, "%s/one", folder);
    snprintf(held, sizeof held, "%s/held", folder);
    assert_int_equal(run_into(held, "1", "held-out"), 0);
    assert_ok(shards_open(&a, one, &err), &err);
    assert_ok(shards_open(&b, held, &err), &err);
    for (size_t i = 0; i < 5; i++) {
        struct sample x = {0}, y = {0};
        assert_ok(shards_read(a, i, &x, &err), &err);
        assert_ok(shards_read(b, i, &y, &err), &err);
        assert_memory_equal(x.input.rgb, y.input.rgb, 3 * SIDE * SIDE * sizeof(float));
        assert_string_not_equal(x.instruction, y.instruction);
        sample_finish(&x);
        sample_finish(&y);
    }
    shards_close(a);
    shards_close(b);
}

static int run_plain(char *const *argv)
{
    struct process process;
    process_start(&process, argv);
    int code = process_wait(&process);
    process_finish(&process);
    return code;
}

static void save(const char *name, const char *text)
{
    char path[200];
    snprintf(path, sizeof path, "%s/pairs/%s", folder, name);
    assert_ok(file_write(path, text, strlen(text), 0600, 0, &err), &err);
}

/* Somebody else's pairs: json, plain text, one instruction for the rest; then a target too small.
 */
static void test_import(void **state)
{
    (void)state;
    char command[300], pairs[100], out[100];
    struct shards *shards;
    static const char *const expected[] = {"fix it", "clear the fog", "for all"};
    snprintf(pairs, sizeof pairs, "%s/pairs", folder);
    snprintf(out, sizeof out, "%s/imported", folder);
    snprintf(command, sizeof command,
        "mkdir '%s' && cd '%s' && mkdir input target mask instruction", pairs, pairs);
    assert_int_equal(system(command), 0);
    for (int i = 0; i < 3; i++) {
        char name[40];
        snprintf(name, sizeof name, "input/p%d.ppm", i);
        save(name, "P6 2 1 255\nabcdef");
        snprintf(name, sizeof name, "target/p%d.ppm", i);
        save(name, "P6 2 1 255\nghijkl");
    }
    save("mask/p1.ppm", "P5 2 1 255\n\377\001");
    save("instruction/p0.json",
        "{\"instruction\":\"fix it\",\"auxiliary\":\"snow\",\"task\":\"desnow\"}");
    save("instruction/p1.txt", "clear the fog\n");
    save("instruction.txt", "for all\n");
    char *argv[] = {getenv("CURATE"), "--pairs", pairs, "--out", out, "--format", "ppm", NULL};
    assert_int_equal(run_plain(argv), 0);
    assert_ok(shards_open(&shards, out, &err), &err);
    assert_int_equal(shards_count(shards), 3);
    for (size_t i = 0; i < 3; i++) {
        struct sample sample = {0};
        assert_ok(shards_read(shards, i, &sample, &err), &err);
        assert_string_equal(sample.instruction, expected[i]);
        assert_string_equal(sample.task, i == 0 ? "desnow" : "");
        assert_string_equal(sample.auxiliary, i == 0 ? "snow" : "");
        assert_int_equal(sample.mask != NULL, i == 1);
        assert_int_equal((int)(sample.target.rgb[0] * 255.0f + 0.5f), 'g');
        sample_finish(&sample);
    }
    shards_close(shards);
    save("target/p2.ppm", "P6 1 1 255\nghi");
    assert_int_equal(run_plain(argv), 1);
}

static void test_wrong_usage(void **state)
{
    (void)state;
    assert_int_equal(run((const char *const[]){NULL}), 2); /* no --out */
    assert_int_equal(run((const char *const[]){"--out", "x", "--jobs", "0", NULL}), 2);
    assert_int_equal(run((const char *const[]){"--out", "x", "--tasks", "paint", NULL}), 2);
    assert_int_equal(run((const char *const[]){"--out", "x", "--format", "gif", NULL}), 2);
    assert_int_equal(run((const char *const[]){"--out", "x", "--combine", "1.5", NULL}), 2);
    assert_int_equal(run((const char *const[]){"--out", "x", "--nonsense", NULL}), 2);
    assert_int_equal(run((const char *const[]){"--out", "x", "more", NULL}), 2);
    assert_int_equal(run((const char *const[]){"--out", "x", "--pairs", "y", NULL}), 2);
}

/* Only the words change. */
static void test_thesaurus(void **state)
{
    (void)state;
    static const char entries[] = "UTF-8\n"
                                  "remove|1\n(verb)|abolish\nerase|1\n(verb)|abolish\n"
                                  "photo|1\n(noun)|likeness\npicture|1\n(noun)|likeness\n"
                                  "image|1\n(noun)|likeness\n";
    char plain[100], varied[100], words[100];
    struct shards *a, *b;
    snprintf(plain, sizeof plain, "%s/plain", folder);
    snprintf(varied, sizeof varied, "%s/varied", folder);
    snprintf(words, sizeof words, "%s/words.dat", folder);
    assert_ok(file_write(words, entries, sizeof entries - 1, 0600, 0, &err), &err);
    assert_int_equal(run_into(plain, "2", "train"), 0);
    assert_int_equal(
        run((const char *const[]){"--out", varied, "--jobs", "2", "--thesaurus", words, NULL}), 0);
    assert_ok(shards_open(&a, plain, &err), &err);
    assert_ok(shards_open(&b, varied, &err), &err);
    int changed = 0;
    for (size_t i = 0; i < PAIRS; i++) {
        struct sample one = {0}, other = {0};
        assert_ok(shards_read(a, i, &one, &err), &err);
        assert_ok(shards_read(b, i, &other, &err), &err);
        assert_memory_equal(
            one.input.rgb, other.input.rgb, 3 * (size_t)SIDE * SIDE * sizeof *one.input.rgb);
        int is_varied =
            strstr(other.instruction, "abolish") || strstr(other.instruction, "likeness");
        assert_true(is_varied || !strcmp(one.instruction, other.instruction));
        changed += is_varied;
        sample_finish(&one);
        sample_finish(&other);
    }
    assert_true(changed >= 3);
    shards_close(a);
    shards_close(b);
    assert_int_equal(
        run((const char *const[]){"--out", varied, "--thesaurus", "/nonexistent", NULL}), 1);
}

static void test_folder_missing(void **state)
{
    (void)state;
    char out[100];
    snprintf(out, sizeof out, "%s/out", folder);
    assert_int_equal(run((const char *const[]){"--out", out, "--photos", "/nonexistent", NULL}), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_jobs_change_nothing),
        cmocka_unit_test(test_pairs_hold_what_they_say),
        cmocka_unit_test(test_held_out_words),
        cmocka_unit_test(test_thesaurus),
        cmocka_unit_test(test_import),
        cmocka_unit_test(test_wrong_usage),
        cmocka_unit_test(test_folder_missing),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
