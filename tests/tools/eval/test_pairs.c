/* SPDX-License-Identifier: Apache-2.0 */
/* Photos of folders, the pairs made of them, and sets of pairs as folders and as shards. Pictures
 * are ppm, which every build reads. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "tests/test.h"
#include "tests/tools/eval/scene.h"
#include "tests/tools/scratch.h"
#include "tools/data/ppm.h"
#include "tools/data/shards_write.h"
#include "tools/eval/canvas.h"
#include "tools/eval/make_set.h"
#include "tools/eval/pairs.h"
#include "tools/eval/photo.h"
#include "tools/eval/psnr.h"

enum { SIZE = 64 };

static void write_text(const char *name, const char *text)
{
    struct pf_error err = PF_ERROR_INIT;
    assert_ok(file_write(scratch_path(name), text, strlen(text), 0644, 0, &err), &err);
}

static void write_photo(const char *name, int width, int height)
{
    struct pf_error err = PF_ERROR_INIT;
    struct buffer bytes = BUFFER_INIT;
    struct image scene = scene_create(width > height ? width : height), image = scene;
    image.width = width; /* another walk over the same floats: any picture will do */
    image.height = height;
    assert_ok(ppm_encode(&image, NULL, &bytes, &err), &err);
    assert_ok(file_write(scratch_path(name), bytes.data, bytes.size, 0644, 0, &err), &err);
    buffer_finish(&bytes);
    image_finish(&scene);
}

static void make_folder(const char *name)
{
    char command[320];
    snprintf(command, sizeof command, "mkdir -p '%s'", scratch_path(name));
    assert_int_equal(system(command), 0);
}

static void test_photos(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct photos photos = {0};
    write_photo("b.ppm", 80, 64);
    write_photo("a.ppm", 64, 90);
    write_photo("c.ppm", 64, 64);
    write_photo("d.ppm", 64, 64);
    write_text("notes.txt", "no photo");
    assert_ok(photos_add(&photos, scratch_folder, &err), &err);
    assert_int_equal(photos.count, 4);
    assert_string_equal(photo_name(photos.paths[0]), "a.ppm");
    struct image image;
    assert_ok(photo_read(photos.paths[0], 32, &image, &err), &err);
    assert_int_equal(image.width, 32);
    assert_int_equal(image.height, 32);
    image_finish(&image);
    assert_int_equal(photos_used(&photos), 4);
    photos.limit = 2;
    assert_int_equal(photos_used(&photos), 2);
    assert_int_equal(photos_index(&photos, 0), 0);
    assert_int_equal(photos_index(&photos, 1), 2);
    photos.limit = 9;
    assert_int_equal(photos_used(&photos), 4);
    photos_finish(&photos);
    assert_fails(photos_add(&photos, scratch_path("none"), &err), PF_IO, "none", &err);
}

static void test_spoiling(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct image clean = scene_create(SIZE);
    const enum task tasks[] = {TASK_DEHAZE, TASK_DESNOW, TASK_LOWLIGHT};
    struct photo_recipe recipe = {"a.ppm", &clean, NULL, 1, tasks, 3};
    struct sample sample, again;
    assert_ok(photo_spoil(&recipe, &sample, &err), &err);
    assert_ok(photo_spoil(&recipe, &again, &err), &err);
    assert_string_equal(sample.task, "dehaze+desnow+lowlight");
    assert_non_null(strstr(sample.auxiliary, "hazy"));
    assert_non_null(strstr(sample.auxiliary, "dark"));
    assert_non_null(sample.mask); /* of the snow */
    assert_true(psnr_between(&sample.target, &clean) == PSNR_MAX);
    assert_true(psnr_between(&sample.input, &clean) < 15);
    assert_true(psnr_between(&sample.input, &again.input) == PSNR_MAX);
    sample_finish(&sample);
    sample_finish(&again);
    recipe.task_count = 1;
    assert_ok(photo_spoil(&recipe, &sample, &err), &err);
    assert_null(sample.mask);
    sample_finish(&sample);
    recipe.name = "a.jpg"; /* the kind of file doesn't matter */
    assert_ok(photo_spoil(&recipe, &sample, &err), &err);
    recipe.name = "a.ppm";
    assert_ok(photo_spoil(&recipe, &again, &err), &err);
    assert_true(psnr_between(&sample.input, &again.input) == PSNR_MAX);
    sample_finish(&sample);
    sample_finish(&again);
    recipe.name = "b.ppm"; /* another name, another haze */
    assert_ok(photo_spoil(&recipe, &again, &err), &err);
    recipe.name = "a.ppm";
    assert_ok(photo_spoil(&recipe, &sample, &err), &err);
    assert_true(psnr_between(&sample.input, &again.input) < PSNR_MAX);
    sample_finish(&sample);
    sample_finish(&again);
    image_finish(&clean);
}

/* What make_set() writes is what pairs_read() reads. */
static void test_set_there_and_back(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct photos photos = {0};
    struct pairs *pairs;
    char set[96];
    write_photo("a.ppm", 64, 64);
    assert_ok(photos_add(&photos, scratch_folder, &err), &err);
    struct acceptance_options options = {
        .photos = &photos, .size = SIZE, .seed = 1, .tasks = 1u << TASK_REMOVE};
    snprintf(set, sizeof set, "%s/set", scratch_folder);
    assert_ok(image_library_init("test_eval_pairs", 1, &err), &err);
    struct make_set_options making = {&options, set, PICTURE_PPM};
    assert_ok(make_set(&making, &err), &err);
    assert_fails(make_set(&making, &err), PF_CONFLICT, "is there already", &err);
    assert_ok(pairs_open(&pairs, set, &err), &err);
    assert_int_equal(pairs_count(pairs), 2); /* the task, and three at once */
    struct sample sample, texts;
    assert_ok(pairs_read(pairs, 1, &sample, &err), &err);
    assert_ok(pairs_read_texts(pairs, 1, &texts, &err), &err);
    assert_string_equal(sample.task, "remove");
    assert_string_equal(texts.task, "remove");
    assert_string_equal(sample.instruction, "remove the object");
    assert_non_null(sample.mask);
    assert_null(texts.mask);
    struct image clean;
    assert_ok(photo_read(photos.paths[0], SIZE, &clean, &err), &err);
    assert_true(psnr_between(&sample.target, &clean) == PSNR_MAX); /* lossless */
    image_finish(&clean);
    sample_finish(&sample);
    sample_finish(&texts);
    pairs_close(pairs);
    photos_finish(&photos);
}

/* A square written and read again is the same square. */
static void test_squares(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct photos photos = {0}, squares = {0};
    struct image first, second;
    char target[96];
    snprintf(target, sizeof target, "%s/squares", scratch_folder);
    write_photo("a.ppm", 90, 64);
    assert_ok(photos_add(&photos, scratch_folder, &err), &err);
    struct acceptance_options options = {.photos = &photos, .size = 48};
    assert_ok(make_squares(&options, target, &err), &err);
    assert_ok(photos_add(&squares, target, &err), &err);
    assert_int_equal(squares.count, 1);
    assert_ok(photo_read(photos.paths[0], 48, &first, &err), &err);
    assert_ok(photo_read(squares.paths[0], 48, &second, &err), &err);
    assert_true(psnr_between(&first, &second) == PSNR_MAX);
    image_finish(&first);
    image_finish(&second);
    photos_finish(&photos);
    photos_finish(&squares);
}

static void test_folders_of_others(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct pairs *pairs;
    struct sample sample;
    make_folder("input");
    make_folder("target");
    make_folder("instruction");
    write_photo("input/x.ppm", 64, 64);
    assert_ok(pairs_open(&pairs, scratch_folder, &err), &err);
    assert_fails(pairs_read(pairs, 0, &sample, &err), PF_INVALID, "x.ppm: no target", &err);
    write_photo("target/x.ppm", 64, 60);
    assert_fails(pairs_read(pairs, 0, &sample, &err), PF_INVALID, "target 64×60", &err);
    write_photo("target/x.ppm", 64, 64);
    assert_fails(pairs_read(pairs, 0, &sample, &err), PF_INVALID, "x.ppm: no instruction", &err);
    write_text("instruction.txt", "for all\n");
    assert_ok(pairs_read(pairs, 0, &sample, &err), &err);
    assert_string_equal(sample.instruction, "for all");
    assert_string_equal(sample.task, "");
    assert_null(sample.mask);
    sample_finish(&sample);
    write_text("instruction/x.txt", "its own");
    assert_ok(pairs_read(pairs, 0, &sample, &err), &err);
    assert_string_equal(sample.instruction, "its own");
    sample_finish(&sample);
    write_text("instruction/x.json", "{\"auxiliary\": \"hazy\", \"task\": \"dehaze\"}");
    assert_ok(pairs_read(pairs, 0, &sample, &err), &err);
    assert_string_equal(sample.instruction, "");
    assert_string_equal(sample.auxiliary, "hazy");
    assert_string_equal(sample.task, "dehaze");
    sample_finish(&sample);
    write_text("instruction/x.json", "[1]");
    assert_fails(pairs_read(pairs, 0, &sample, &err), PF_CORRUPT, "no JSON object", &err);
    write_text("instruction/x.json", "{");
    assert_fails(pairs_read(pairs, 0, &sample, &err), PF_CORRUPT, "x.json", &err);
    pairs_close(pairs);
}

static void test_shards(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct shards_writer *writer;
    struct buffer packed = BUFFER_INIT;
    struct pairs *pairs;
    struct sample texts, sample;
    struct image image = scene_create(SIZE);
    assert_ok(
        sample_pack(&packed, "000001", &image, &image, NULL,
            "{\"instruction\": \"remove the haze\", \"task\": \"dehaze\"}", PICTURE_PPM, 100, &err),
        &err);
    assert_ok(shards_writer_open(&writer, scratch_folder, 10, &err), &err);
    assert_ok(shards_writer_put(writer, packed.data, packed.size, &err), &err);
    assert_ok(shards_writer_finish(writer, &err), &err);
    shards_writer_close(writer);
    assert_ok(pairs_open(&pairs, scratch_folder, &err), &err);
    assert_int_equal(pairs_count(pairs), 1);
    assert_ok(pairs_read_texts(pairs, 0, &texts, &err), &err);
    assert_string_equal(texts.task, "dehaze");
    assert_string_equal(texts.auxiliary, "");
    assert_ok(pairs_read(pairs, 0, &sample, &err), &err);
    assert_string_equal(sample.instruction, "remove the haze");
    sample_finish(&texts);
    sample_finish(&sample);
    pairs_close(pairs);
    buffer_finish(&packed);
    image_finish(&image);
    assert_int_not_equal(pairs_open(&pairs, scratch_path("none"), &err), PF_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_photos, scratch_set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_spoiling, scratch_set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_set_there_and_back, scratch_set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_squares, scratch_set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_folders_of_others, scratch_set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_shards, scratch_set_up, scratch_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
