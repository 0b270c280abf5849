/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "tests/test.h"
#include "tests/tools/scratch.h"
#include "tools/data/shards.h"
#include "tools/data/shards_write.h"
#include "tools/data/tar.h"
#include "tools/data/tasks.h"

enum { SIDE = 4, AREA = SIDE * SIDE };

static struct pf_error err;

static int setup(void **state)
{
    err = (struct pf_error)PF_ERROR_INIT;
    return scratch_set_up(state);
}

/* What the JSON of sample n % 4 tells of its tasks. */
static const char *const tasks_told[] = {
    "\"task\":\"dehaze\"",
    ("\"task\":\"combined\",\"asked\":[\"dehaze\",\"remove\"],\"degradations\":[{\"task\":"
     "\"desnow\"},{\"task\":\"remove\",\"object\":\"hat\"},{\"task\":\"new\"}]"),
    "\"task\":\"combined\"",
    "\"task\":\"dehaze\",\"asked\":[\"dehaze\"],\"degradations\":[]",
};

/* Sample n: all values n/255, the target's (n+1)/255. */
static void pack(struct buffer *out, int n, const float *mask)
{
    float input[3 * AREA], target[3 * AREA];
    for (int i = 0; i < 3 * AREA; i++) {
        input[i] = (float)n / 255.0f;
        target[i] = (float)(n + 1) / 255.0f;
    }
    struct image a = {SIDE, SIDE, input, NULL}, b = {SIDE, SIDE, target, NULL};
    char key[20], json[300];
    snprintf(key, sizeof key, "%06d", n);
    snprintf(json, sizeof json,
        "{%s,\"instruction\":\"number %d\",\"auxiliary\":\"\",\"source\":\"s\"}", tasks_told[n % 4],
        n);
    assert_ok(sample_pack(out, key, &a, &b, mask, json, PICTURE_PPM, 0, &err), &err);
}

static void write_set(int count, size_t per_shard)
{
    static const float mask[AREA] = {1.0f};
    struct shards_writer *writer;
    assert_ok(shards_writer_open(&writer, scratch_folder, per_shard, &err), &err);
    for (int n = 0; n < count; n++) {
        AUTO_BUFFER struct buffer out = BUFFER_INIT;
        pack(&out, n, n % 2 ? mask : NULL);
        assert_ok(shards_writer_put(writer, out.data, out.size, &err), &err);
    }
    assert_ok(shards_writer_finish(writer, &err), &err);
    shards_writer_close(writer);
}

static void check_tasks(const struct sample *sample, int kind)
{
    enum { DEHAZE = 1 << TASK_DEHAZE, DESNOW = 1 << TASK_DESNOW, REMOVE = 1 << TASK_REMOVE };
    static const struct {
        unsigned is_told, asked, defects;
    } expected[] = {
        {1, DEHAZE, DEHAZE},
        {1, DEHAZE | REMOVE, DESNOW | REMOVE},
        {0, 0, 0},
        {1, DEHAZE, 0},
    };
    assert_int_equal(sample->is_told, expected[kind].is_told);
    assert_int_equal(sample->asked, expected[kind].asked);
    assert_int_equal(sample->defects, expected[kind].defects);
}

static void test_round_trip(void **state)
{
    (void)state;
    struct shards *shards;
    write_set(5, 2);
    assert_ok(shards_open(&shards, scratch_folder, &err), &err);
    assert_int_equal(shards_count(shards), 5);
    for (int n = 0; n < 5; n++) {
        struct sample sample = {0};
        char text[20];
        assert_ok(shards_read(shards, (size_t)n, &sample, &err), &err);
        snprintf(text, sizeof text, "%06d", n);
        assert_string_equal(sample.key, text);
        snprintf(text, sizeof text, "number %d", n);
        assert_string_equal(sample.instruction, text);
        assert_string_equal(sample.task, n == 1 || n == 2 ? "combined" : "dehaze");
        check_tasks(&sample, n % 4);
        assert_string_equal(sample.auxiliary, "");
        assert_int_equal((int)(sample.input.rgb[7] * 255.0f + 0.5f), n);
        assert_int_equal((int)(sample.target.rgb[7] * 255.0f + 0.5f), n + 1);
        assert_int_equal(sample.mask != NULL, n % 2);
        if (sample.mask) {
            assert_true(sample.mask[0] == 1.0f);
            assert_true(sample.mask[1] == 0.0f);
        }
        sample_finish(&sample);
    }
    struct sample sample = {0};
    assert_fails(shards_read(shards, 5, &sample, &err), PF_INVALID, "5 of 5", &err);
    size_t size;
    assert_non_null(shards_file(shards, 0, "json", &size));
    assert_null(shards_file(shards, 0, "mask", &size));
    assert_null(shards_file(shards, 0, "other", &size));
    shards_close(shards);
}

static void path_of(const char *name, char path[128])
{
    snprintf(path, 128, "%s/%s", scratch_folder, name);
}

/* A writer that stops early leaves whole shards only. */
static void test_unfinished_shard(void **state)
{
    (void)state;
    struct shards_writer *writer;
    struct shards *shards;
    char path[128];
    assert_ok(shards_writer_open(&writer, scratch_folder, 2, &err), &err);
    for (int n = 0; n < 3; n++) {
        AUTO_BUFFER struct buffer out = BUFFER_INIT;
        pack(&out, n, NULL);
        assert_ok(shards_writer_put(writer, out.data, out.size, &err), &err);
    }
    assert_ok(shards_open(&shards, scratch_folder, &err), &err);
    assert_int_equal(shards_count(shards), 2);
    shards_close(shards);
    shards_writer_close(writer);
    path_of("000001.tar.part", path);
    assert_int_equal(access(path, F_OK), -1);
}

static void write_tar(const struct buffer *archive)
{
    char path[128];
    path_of("x.tar", path);
    assert_ok(file_write(path, archive->data, archive->size, 0600, 0, &err), &err);
}

static void test_sample_incomplete(void **state)
{
    (void)state;
    struct shards *shards;
    AUTO_BUFFER struct buffer archive = BUFFER_INIT;
    assert_ok(tar_put(&archive, "7.input.ppm", "x", 1, &err), &err);
    assert_ok(tar_put(&archive, "7.json", "{}", 2, &err), &err);
    write_tar(&archive);
    assert_fails(shards_open(&shards, scratch_folder, &err), PF_CORRUPT, "'7' has no target", &err);
}

static void test_file_twice(void **state)
{
    (void)state;
    struct shards *shards;
    AUTO_BUFFER struct buffer archive = BUFFER_INIT;
    assert_ok(tar_put(&archive, "7.input.ppm", "x", 1, &err), &err);
    assert_ok(tar_put(&archive, "7.input.png", "x", 1, &err), &err);
    write_tar(&archive);
    assert_fails(shards_open(&shards, scratch_folder, &err), PF_CORRUPT, "there twice", &err);
}

static void test_sizes_differ(void **state)
{
    (void)state;
    struct shards *shards;
    struct sample sample = {0};
    AUTO_BUFFER struct buffer archive = BUFFER_INIT;
    assert_ok(tar_put(&archive, "7.input.ppm", "P6 1 1 255\nabc", 14, &err), &err);
    assert_ok(tar_put(&archive, "7.target.ppm", "P6 2 1 255\nabcdef", 17, &err), &err);
    assert_ok(tar_put(&archive, "7.json", "{}", 2, &err), &err);
    write_tar(&archive);
    assert_ok(shards_open(&shards, scratch_folder, &err), &err);
    assert_fails(
        shards_read(shards, 0, &sample, &err), PF_CORRUPT, "input has 1×1, target 2×1", &err);
    assert_null(sample.key);
    shards_close(shards);
}

static void test_truncated(void **state)
{
    (void)state;
    struct shards *shards;
    AUTO_BUFFER struct buffer archive = BUFFER_INIT;
    pack(&archive, 1, NULL);
    archive.size = 540;
    write_tar(&archive);
    assert_fails(shards_open(&shards, scratch_folder, &err), PF_CORRUPT, "x.tar: tar:", &err);
}

static void test_nothing_there(void **state)
{
    (void)state;
    struct shards *shards;
    char path[128];
    assert_fails(shards_open(&shards, scratch_folder, &err), PF_NOT_FOUND, "no tar files", &err);
    path_of("none", path);
    assert_fails(shards_open(&shards, path, &err), PF_NOT_FOUND, "none", &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trip, setup, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_unfinished_shard, setup, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_sample_incomplete, setup, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_file_twice, setup, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_sizes_differ, setup, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_truncated, setup, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_nothing_there, setup, scratch_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
