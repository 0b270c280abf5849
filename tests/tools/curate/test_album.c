/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "tests/test.h"
#include "tests/tools/curate/scenery.h"
#include "tests/tools/scratch.h"
#include "tools/curate/album.h"
#include "tools/curate/crop.h"
#include "tools/curate/cutout.h"
#include "tools/curate/objects.h"
#include "tools/curate/photo.h"
#include "tools/data/ppm.h"

static struct pf_error err;

static int setup(void **state)
{
    err = (struct pf_error)PF_ERROR_INIT;
    return scratch_set_up(state);
}

/* Flat areas of four colours with straight edges. */
static void save_drawing(const char *path, int side)
{
    AUTO_BUFFER struct buffer file = BUFFER_INIT;
    AUTO_FREE float *rgb = malloc(3 * (size_t)side * (size_t)side * sizeof *rgb);
    assert_non_null(rgb);
    for (int i = 0; i < 3 * side * side; i++)
        rgb[i] = (float)((i / 40 + i / side / 40) % 4) / 4.0f;
    struct image image = {side, side, rgb, NULL};
    assert_ok(ppm_encode(&image, NULL, &file, &err), &err);
    assert_ok(file_write(path, file.data, file.size, 0600, 0, &err), &err);
}

static void save_text(const char *path, const char *text)
{
    assert_ok(file_write(path, text, strlen(text), 0600, 0, &err), &err);
}

static enum pf_status open_album(const char *list, enum album_split split, struct album *album)
{
    const char *folders[] = {scratch_folder};
    const struct album_options options = {
        .folders = folders,
        .folder_count = 1,
        .list = list,
        .cache = scratch_path(".cache"),
        .side = 64,
        .jobs = 2,
        .split = split,
    };
    return album_open(&options, album, &err);
}

static void test_sorts_out(void **state)
{
    (void)state;
    struct album album = {0};
    scenery_save(scratch_path("mountain-lake_0042.ppm"), 160, 120, 1);
    scenery_save(scratch_path("small.ppm"), 160, 60, 2);
    save_drawing(scratch_path("drawing.ppm"), 160);
    save_text(scratch_path("broken.ppm"), "P6\n100 100\n255\nxx");
    save_text(scratch_path("readme.txt"), "no picture");
    assert_ok(open_album(NULL, ALBUM_ALL, &album), &err);
    assert_int_equal(album.count, 1);
    assert_string_equal(album.photos[0].source, "mountain-lake_0042.ppm");
    assert_string_equal(album.photos[0].tags, "mountain lake");
    album_finish(&album);
}

static void test_rules(void **state)
{
    (void)state;
    struct album album = {0};
    scenery_save(scratch_path("a.ppm"), 160, 120, 1);
    scenery_save(scratch_path("b.ppm"), 160, 120, 2);
    save_drawing(scratch_path("c.ppm"), 160);
    save_text(scratch_path("list"),
        "# comment\nexclude *a.ppm\ninclude *.ppm weight=3 tags=the_sea # x\n"
        "exclude *b.ppm\n");
    assert_ok(open_album(scratch_path("list"), ALBUM_ALL, &album), &err);
    assert_int_equal(album.count, 2); /* the last rule decides; a drawing that is asked for stays */
    assert_string_equal(album.photos[0].source, "a.ppm");
    assert_string_equal(album.photos[0].tags, "the sea");
    assert_true(album.cumulative[1] == 6.0);
    album_finish(&album);
    save_text(scratch_path("list"), "include *\ninclude * wieght=3\n");
    assert_fails(open_album(scratch_path("list"), ALBUM_ALL, &album), PF_INVALID, "line 2", &err);
    save_text(scratch_path("list"), "exclude *\n");
    assert_fails(
        open_album(scratch_path("list"), ALBUM_ALL, &album), PF_NOT_FOUND, "no pictures", &err);
}

/* Both sides together hold every photo once. */
static void test_splits(void **state)
{
    (void)state;
    struct album train = {0}, valid = {0};
    for (int i = 0; i < 60; i++) {
        char name[20];
        snprintf(name, sizeof name, "photo%d.ppm", i);
        scenery_save(scratch_path(name), 80, 70, (unsigned)i);
    }
    assert_ok(open_album(NULL, ALBUM_TRAIN, &train), &err);
    assert_ok(open_album(NULL, ALBUM_VALID, &valid), &err);
    assert_int_equal(train.count + valid.count, 60);
    assert_true(valid.count >= 1 && valid.count <= 12);
    for (size_t i = 0; i < train.count; i++)
        for (size_t k = 0; k < valid.count; k++)
            assert_string_not_equal(train.photos[i].source, valid.photos[k].source);
    album_finish(&train);
    album_finish(&valid);
}

static void test_crop(void **state)
{
    (void)state;
    enum { CROP = 64 };
    static float rgb[3 * CROP * CROP], again[3 * CROP * CROP];
    struct crop_traits traits;
    struct rng rng;
    scenery_save(scratch_path("a.ppm"), 200, 150, 1);
    assert_ok(photo_cache(scratch_path("a.ppm"), scratch_path("kept.ppm"), CROP, &err), &err);
    for (int k = 0; k < 2; k++) {
        rng_init(&rng, 1, 2, 3);
        assert_ok(photo_crop(scratch_path("kept.ppm"), CROP, &rng, k ? again : rgb, &err), &err);
    }
    assert_memory_equal(rgb, again, sizeof rgb);
    assert_ok(crop_measure(rgb, CROP, &traits, &err), &err);
    assert_false(crop_is_empty(&traits));
    assert_true(crop_teaches(&traits, TASK_COLORIZE));
    for (int i = 0; i < 3 * CROP * CROP; i++)
        rgb[i] = 0.1f;
    assert_ok(crop_measure(rgb, CROP, &traits, &err), &err);
    assert_true(crop_is_empty(&traits));
    for (int task = TASK_COLORIZE; task <= TASK_DEHAZE; task++)
        assert_false(crop_teaches(&traits, (enum task)task));
    assert_true(crop_teaches(&traits, TASK_REMOVE));
}

/* A diamond in a photo of 100×80, cut along its edge; other shapes are passed over. */
static void test_cut_outs(void **state)
{
    (void)state;
    struct objects *objects;
    const struct object *object = NULL;
    struct rng rng;
    scenery_save(scratch_path("street.ppm"), 100, 80, 3);
    save_text(scratch_path("street.json"),
        "{\"imagePath\":\"../elsewhere/street.ppm\",\"shapes\":["
        "{\"label\":\"a1\",\"points\":[[0,0],[60,0],[60,60]]},"
        "{\"label\":\"red "
        "car\",\"points\":[[50,10],[80,40],[50,70],[20,40]],\"shape_type\":\"polygon\"},"
        "{\"label\":\"dot\",\"points\":[[1,1]],\"shape_type\":\"point\"},"
        "{\"label\":\"tiny\",\"points\":[[0,0],[5,0],[5,5]]}]}");
    assert_ok(objects_open(&objects, NULL, scratch_folder, &err), &err);
    assert_int_equal(objects_count(objects), 1);
    rng_init(&rng, 1, 1, 1);
    assert_ok(objects_pick(objects, &rng, &object, &err), &err);
    assert_string_equal(object->name, "red car");
    assert_int_equal(object->width, 60);
    assert_int_equal(object->height, 60);
    assert_true(object->alpha[30 * 60 + 30] == 1.0f);
    assert_true(object->alpha[0] == 0.0f && object->alpha[59] == 0.0f);
    double seen = 0.0;
    for (int i = 0; i < 3600; i++)
        seen += (double)object->alpha[i];
    assert_true(seen > 1750.0 && seen < 1850.0); /* half of the box */
    objects_close(objects);
}

static void test_cut_outs_damaged(void **state)
{
    (void)state;
    struct objects *objects;
    save_text(scratch_path("a.json"), "{\"shapes\":");
    assert_fails(objects_open(&objects, NULL, scratch_folder, &err), PF_CORRUPT, "a.json", &err);
    save_text(
        scratch_path("a.json"), "{\"shapes\":[{\"label\":\"dog\",\"points\":[[0,0],[1],3]}]}");
    assert_fails(
        objects_open(&objects, NULL, scratch_folder, &err), PF_NOT_FOUND, "no object", &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sorts_out, setup, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_rules, setup, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_splits, setup, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_crop, setup, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_cut_outs, setup, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_cut_outs_damaged, setup, scratch_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
