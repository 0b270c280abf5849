/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the program promptfix as a user does, on a model that promptfix-mkmodel writes. Pictures are
 * tensors, so that every build runs this. */
#include <dirent.h>
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/test.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/jdoc.h"
#include "base/params.h"
#include "pipeline/weights/checkpoint_write.h"
#include "process.h"
#include "tools/cli/picture.h"

enum { ARGS_MAX = 24, PATH_SIZE = 96 };

static char folder[] = "/tmp/test_promptfix_XXXXXX";
static char model[PATH_SIZE], plain_model[PATH_SIZE], picture[PATH_SIZE], mask[PATH_SIZE],
    broken[PATH_SIZE], partial[PATH_SIZE], output[PATH_SIZE];

/* A merges table of two merges, so a vocabulary of 512 + 2 + 2. */
#define VOCABULARY "516"
static const char merges[] = "#version: 0.2\nh a\nha z\n";

static int run(char *const *args, struct process *process)
{
    process_start(process, args);
    return process_wait(process);
}

static void make_model(char *path, char *flag)
{
    struct pf_error err = PF_ERROR_INIT;
    char merges_path[PATH_SIZE];
    snprintf(merges_path, sizeof merges_path, "%s/merges.txt", folder);
    assert_ok(file_write(merges_path, merges, sizeof merges - 1, 0600, 0, &err), &err);
    char *args[] = {getenv("MKMODEL"), "--preset", "tiny", "--clip-vocabulary", VOCABULARY,
        "--merges", merges_path, path, flag, flag ? "--vae-lora-rank" : NULL, "0", NULL};
    struct process process;
    int code = run(args, &process);
    if (code != 0)
        fail_msg("mkmodel: %s", process.err.data);
    process_finish(&process);
}

static void make_pictures(void)
{
    struct pf_error err = PF_ERROR_INIT;
    enum { WIDTH = 70, HEIGHT = 64 };
    static float rgb[3 * WIDTH * HEIGHT];
    for (size_t i = 0; i < COUNT_OF(rgb); i++)
        rgb[i] = 0.5f + 0.4f * sinf((float)i * 0.05f);
    struct image image = {WIDTH, HEIGHT, rgb, NULL};
    assert_ok(picture_write(picture, &image, IMAGE_FORMAT_PNG, 90, &err), &err);
    struct checkpoint_writer *writer;
    int64_t dims[] = {1, 1, HEIGHT, WIDTH};
    assert_ok(checkpoint_writer_create(&writer, mask, CHECKPOINT_SAFETENSORS, &err), &err);
    assert_ok(checkpoint_writer_add(writer, "mask", DTYPE_F32, dims, 4, &err), &err);
    for (size_t i = 0; i < WIDTH * HEIGHT; i++)
        rgb[i] = i % WIDTH < WIDTH / 2;
    assert_ok(checkpoint_writer_put(writer, rgb, WIDTH * HEIGHT * sizeof *rgb, &err), &err);
    assert_ok(checkpoint_writer_finish(writer, 0, &err), &err);
    checkpoint_writer_destroy(writer);
    float value = 1;
    assert_ok(checkpoint_writer_create(&writer, partial, CHECKPOINT_SAFETENSORS, &err), &err);
    assert_ok(checkpoint_writer_add(writer, "x", DTYPE_F32, (int64_t[]){1}, 1, &err), &err);
    assert_ok(checkpoint_writer_put(writer, &value, sizeof value, &err), &err);
    assert_ok(checkpoint_writer_finish(writer, 0, &err), &err);
    checkpoint_writer_destroy(writer);
    assert_ok(file_write(broken, "not a model", 11, 0600, 0, &err), &err);
}

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    static const struct {
        char *path;
        const char *name;
    } paths[] = {{model, "model.safetensors"}, {plain_model, "plain.safetensors"},
        {picture, "picture.safetensors"}, {mask, "mask.safetensors"}, {broken, "broken.ckpt"},
        {partial, "partial.safetensors"}, {output, "output.safetensors"}};
    for (size_t i = 0; i < COUNT_OF(paths); i++)
        snprintf(paths[i].path, PATH_SIZE, "%s/%s", folder, paths[i].name);
    make_model(model, NULL);
    make_model(plain_model, "--no-extra");
    make_pictures();
    return 0;
}

/* Files in the folder; with `remove` they are deleted. */
static size_t each_file(int remove)
{
    size_t count = 0;
    DIR *files = opendir(folder);
    assert_non_null(files);
    for (struct dirent *entry; (entry = readdir(files));) {
        char path[PATH_SIZE + 256];
        if (entry->d_name[0] == '.' && strlen(entry->d_name) < 3)
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (remove)
            unlink(path);
        count++;
    }
    closedir(files);
    return count;
}

static int tear_down(void **state)
{
    (void)state;
    each_file(1);
    return rmdir(folder);
}

static void test_errors(void **state)
{
    (void)state;
    struct {
        char *args[ARGS_MAX];
        int code;
        const char *message;
    } cases[] = {
        {{NULL}, 2, "no command given"},
        {{"frobnicate"}, 2, "unknown command 'frobnicate'"},
        {{"fix", "--stesp", "3"}, 2,
            "promptfix fix: unknown option --stesp; did you mean --steps?"},
        {{"fix", "/nowhere.png", "-i", "x", "-o", output, "-m", model}, 3, "/nowhere.png"},
        {{"fix", broken, "-i", "x", "-o", output, "-m", model}, 3, "promptfix fix: "},
        {{"fix", partial, "-i", "x", "-o", output, "-m", model}, 3, "no tensor 'image'"},
        {{"fix", picture, "-i", "x", "-o", "/nowhere/o.png", "-m", model}, 3, "/nowhere/"},
        {{"fix", picture, "-i", "x", "-o", output, "-m", model, "--max-pixels=4096"}, 3, "70×64"},
        {{"fix", picture, "-i", "\xff", "-o", output, "-m", model}, 3, "UTF-8"},
        {{"fix", picture, "-i", "x", "-o", output, "-m", model, "--guidance-region=mask"}, 3,
            "needs a mask"},
        {{"fix", picture, "-i", "x", "-o", output, "-m", plain_model, "--auxiliary-prompt=y"}, 3,
            "auxiliary_prompt"},
        {{"fix", picture, "-i", "x", "-o", output, "-m", "/nowhere"}, 4, "/nowhere"},
        {{"fix", picture, "-i", "x", "-o", output, "-m", broken}, 4, "neither safetensors"},
        {{"fix", picture, "-i", "x", "-o", output, "-m", partial}, 4, "promptfix fix: "},
        {{"fix", picture, "-i", "x", "-o", output, "-m", model, "--device=gpu"}, 4, "gpu"},
        {{"fix", picture, "-i", "x", "-o", output, "-m", model, "--device=cpu", "--dtype=float16"},
            4, "float16"},
        {{"inspect", "/nowhere"}, 4, "/nowhere"},
        {{"inspect", broken}, 4, "neither safetensors"},
        {{"bench", "-m", broken}, 4, "neither safetensors"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char *args[ARGS_MAX + 1] = {getenv("PROMPTFIX")};
        memcpy(args + 1, cases[i].args, sizeof cases[i].args - sizeof *args);
        struct process process;
        int code = run(args, &process);
        const char *err = process.err.data ? process.err.data : "";
        if (code != cases[i].code || !strstr(err, cases[i].message))
            fail_msg("case %zu: exit code %d, \"%s\", expected %d with \"%s\"", i, code, err,
                cases[i].code, cases[i].message);
        assert_int_equal(process.out.size, 0);
        process_finish(&process);
        assert_int_not_equal(access(output, F_OK), 0);
    }
}

/* Every page has its sections and stays within 80 columns; fix names every parameter. */
static void test_help(void **state)
{
    (void)state;
    static char *const commands[] = {NULL, "fix", "inspect", "bench"};
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        char *args[] = {getenv("PROMPTFIX"), commands[i] ? commands[i] : "--help",
            commands[i] ? "--help" : NULL, NULL};
        struct process process;
        assert_int_equal(run(args, &process), 0);
        assert_int_equal(process.err.size, 0);
        static const char *const sections[] = {"NAME\n", "\nSYNOPSIS\n", "\nDESCRIPTION\n",
            "\nOPTIONS\n", "\nEXIT STATUS\n", "\nEXAMPLES\n"};
        for (size_t k = 0; k < COUNT_OF(sections); k++)
            assert_non_null(strstr(process.out.data, sections[k]));
        for (size_t k = 0; i == 1 && k < params_field_count; k++) {
            char flag[64];
            snprintf(flag, sizeof flag, "\n    --%s ", params_fields[k].name);
            for (char *c = flag; *c; c++)
                *c = *c == '_' ? '-' : *c;
            assert_int_equal(strstr(process.out.data, flag) != NULL,
                strncmp(params_fields[k].name, "previews", 8) != 0);
        }
        for (char *line = strtok(process.out.data, "\n"); line; line = strtok(NULL, "\n")) {
            size_t width = 0;
            for (const char *c = line; *c; c++)
                width += ((unsigned char)*c & 0xC0) != 0x80;
            if (width > 80)
                fail_msg("%zu columns: %s", width, line);
        }
        process_finish(&process);
    }
}

static void test_version(void **state)
{
    (void)state;
    struct process process;
    assert_int_equal(run((char *[]){getenv("PROMPTFIX"), "--version", NULL}, &process), 0);
    assert_true(strncmp(process.out.data, "promptfix ", 10) == 0);
    process_finish(&process);
}

/* Whether the dynamic linker loads libtorch for that program. */
static int loads_torch(char *program)
{
    struct process process;
    setenv("LD_TRACE_LOADED_OBJECTS", "1", 1);
    int code = run((char *[]){program, NULL}, &process);
    unsetenv("LD_TRACE_LOADED_OBJECTS");
    assert_int_equal(code, 0);
    assert_non_null(strstr(process.out.data, "libc.so"));
    int found = strstr(process.out.data, "libtorch") != NULL;
    process_finish(&process);
    return found;
}

/* Loading libtorch takes half a second, so only the commands that compute do. */
static void test_two_programs(void **state)
{
    (void)state;
    struct process process;
    char local[PATH_MAX], alone[PATH_SIZE];
    snprintf(local, sizeof local, "%s-local", getenv("PROMPTFIX"));
    assert_false(loads_torch(getenv("PROMPTFIX")));
    assert_true(loads_torch(local));
    assert_int_equal(run((char *[]){local, "inspect", NULL}, &process), 2);
    process_finish(&process);

    /* Found through PATH when not beside; told when nowhere. */
    snprintf(alone, sizeof alone, "%s/promptfix", folder);
    assert_int_equal(run((char *[]){"/bin/cp", getenv("PROMPTFIX"), alone, NULL}, &process), 0);
    process_finish(&process);
    char *old_path = strdup(getenv("PATH"));
    setenv("PATH", "/nowhere", 1);
    assert_int_equal(run((char *[]){alone, "fix", "--help", NULL}, &process), 1);
    assert_non_null(strstr(process.err.data, "promptfix fix: promptfix-local is neither beside"));
    process_finish(&process);
    strrchr(local, '/')[0] = 0;
    setenv("PATH", local, 1);
    assert_int_equal(run((char *[]){alone, "fix", "--help", NULL}, &process), 0);
    process_finish(&process);
    setenv("PATH", old_path, 1);
    free(old_path);
    unlink(alone);
}

static void test_inspect(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct process process;
    assert_int_equal(run((char *[]){getenv("PROMPTFIX"), "inspect", model, NULL}, &process), 0);
    assert_non_null(strstr(process.out.data, "unet"));
    assert_non_null(strstr(process.out.data, "vocabulary " VOCABULARY));
    process_finish(&process);

    char *args[] = {getenv("PROMPTFIX"), "inspect", "--json", plain_model, NULL};
    assert_int_equal(run(args, &process), 0);
    struct jdoc *report;
    assert_ok(jdoc_parse(&report, process.out.data, process.out.size, &err), &err);
    const struct jdoc_value *unet = jdoc_get(jdoc_get(jdoc_root(report), "parts"), "unet");
    assert_int_equal(jdoc_get(unet, "has_extra")->type, JDOC_FALSE);
    jdoc_destroy(report);
    process_finish(&process);

    /* A checkpoint, but no model: the report is there all the same. */
    args[3] = partial;
    assert_int_equal(run(args, &process), 4);
    assert_ok(jdoc_parse(&report, process.out.data, process.out.size, &err), &err);
    assert_int_equal(jdoc_get(jdoc_root(report), "problem")->type == JDOC_NULL, 0);
    jdoc_destroy(report);
    process_finish(&process);
}

/* The picture that comes out; its pixels are malloc'd. */
static struct image fix(char *const *flags)
{
    struct pf_error err = PF_ERROR_INIT;
    char *args[ARGS_MAX + 1] = {getenv("PROMPTFIX"), "fix", picture, "-i", "remove the haze", "-o",
        output, "--steps=2", "--resolution=64", "--dtype=float32", "--guidance=off", "--threads=1"};
    for (size_t count = 12; *flags; flags++)
        args[count++] = *flags;
    struct process process;
    int code = run(args, &process);
    if (code != 0)
        fail_msg("exit code %d: %s", code, process.err.data);
    process_finish(&process);
    struct image image = IMAGE_INIT;
    struct image_limits limits = IMAGE_LIMITS_DEFAULT;
    assert_ok(picture_read(output, &limits, &image, &err), &err);
    assert_int_equal(image.width, 70);
    assert_int_equal(image.height, 64);
    unlink(output);
    return image;
}

static int is_same(const struct image *a, const struct image *b)
{
    size_t count = 3 * (size_t)a->width * (size_t)a->height;
    return memcmp(a->rgb, b->rgb, count * sizeof *a->rgb) == 0;
}

static void test_fix(void **state)
{
    (void)state;
    struct image first = fix((char *[]){"-m", model, NULL});
    struct image same = fix((char *[]){"-m", model, "--seed=2024", NULL});
    struct image other_seed = fix((char *[]){"-m", model, "--seed=1", NULL});
    struct image auxiliary = fix((char *[]){"-m", model, "--auxiliary-prompt=haze", NULL});
    struct image plain = fix((char *[]){"-m", plain_model, "--quiet", NULL});
    struct image masked = fix((char *[]){"-m", model, "--mask", mask, "--guidance=decoder", NULL});
    assert_true(is_same(&first, &same));
    assert_false(is_same(&first, &other_seed));
    assert_false(is_same(&first, &auxiliary));
    assert_false(is_same(&first, &plain));
    assert_false(is_same(&first, &masked));
    struct image *const all[] = {&first, &same, &other_seed, &auxiliary, &plain, &masked};
    for (size_t i = 0; i < COUNT_OF(all); i++)
        image_finish(all[i]);
}

/* An interrupt in mid-sampling: the code says so and nothing is left behind. */
static void test_interrupt(void **state)
{
    (void)state;
    static const int signals[] = {SIGINT, SIGTERM};
    size_t files = each_file(0);
    for (size_t i = 0; i < COUNT_OF(signals); i++) {
        char *args[] = {getenv("PROMPTFIX"), "fix", picture, "-i", "x", "-o", output, "-m", model,
            "--steps=1000", "--resolution=64", "--threads=1", "--progress=lines", NULL};
        struct process process;
        process_start(&process, args);
        assert_true(process_wait_for(&process, "step 1/1000\n"));
        kill(process.pid, signals[i]);
        assert_int_equal(process_wait(&process), 130);
        assert_null(strstr(process.err.data, "step 1000/1000"));
        process_finish(&process);
        assert_int_equal(each_file(0), files);
    }
}

static void test_bench(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    char *args[] = {getenv("PROMPTFIX"), "bench", "-m", model, "--width=64", "--height=64",
        "--steps=2", "--batch=2", "--threads=1", "--json", NULL};
    struct process process;
    int code = run(args, &process);
    if (code != 0)
        fail_msg("exit code %d: %s", code, process.err.data);
    struct jdoc *report;
    assert_ok(jdoc_parse(&report, process.out.data, process.out.size, &err), &err);
    assert_int_equal(jdoc_get_integer(jdoc_root(report), "batch", 0), 2);
    assert_int_equal(jdoc_get(jdoc_root(report), "step_ms")->size, 2);
    assert_true(jdoc_get_integer(jdoc_root(report), "peak_bytes", 0) > 1 << 20);
    jdoc_destroy(report);
    args[9] = NULL;
    process_finish(&process);
    assert_int_equal(run(args, &process), 0);
    assert_non_null(strstr(process.out.data, "fastest step"));
    process_finish(&process);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_help),
        cmocka_unit_test(test_version),
        cmocka_unit_test(test_two_programs),
        cmocka_unit_test(test_inspect),
        cmocka_unit_test(test_fix),
        cmocka_unit_test(test_interrupt),
        cmocka_unit_test(test_bench),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
