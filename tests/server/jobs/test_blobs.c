/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>

#include "server/jobs/blobs.h"
#include "tests/server/jobs/fixture.h"

struct fixture {
    struct folder folder;
    char path[128];
    struct blobs blobs;
    struct pf_error err;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    folder_create(&f->folder);
    snprintf(f->path, sizeof f->path, "%s/spool", f->folder.path);
    assert_ok(blobs_open(&f->blobs, f->path, &f->err), &f->err);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    blobs_close(&f->blobs);
    folder_remove(&f->folder);
    free(f);
    return 0;
}

static void test_round_trip(void **state)
{
    struct fixture *f = *state;
    char id[ID_SIZE], empty[ID_SIZE];
    assert_ok(blobs_put(&f->blobs, "\0bytes\xff", 7, id, &f->err), &f->err);
    assert_ok(blobs_put(&f->blobs, NULL, 0, empty, &f->err), &f->err);
    assert_true(id_is_valid(id));
    struct buffer bytes = BUFFER_INIT;
    assert_ok(blobs_read(&f->blobs, empty, &bytes, &f->err), &f->err);
    assert_ok(blobs_read(&f->blobs, id, &bytes, &f->err), &f->err);
    assert_int_equal(bytes.size, 7);
    assert_memory_equal(bytes.data, "\0bytes\xff", 7);
    buffer_finish(&bytes);

    char path[256];
    struct stat info;
    snprintf(path, sizeof path, "%s/%s", f->path, id);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(stat(f->path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);

    int fd = -1;
    size_t size = 0;
    assert_ok(blobs_open_fd(&f->blobs, id, &fd, &size, &f->err), &f->err);
    assert_int_equal(size, 7);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    close(fd);
}

static void test_bound(void **state)
{
    struct fixture *f = *state;
    char id[ID_SIZE];
    assert_ok(blobs_put(&f->blobs, "12345678", 8, id, &f->err), &f->err);
    struct buffer small = BUFFER_INIT_MAX(7);
    assert_fails(blobs_read(&f->blobs, id, &small, &f->err), PF_INVALID, "", &f->err);
    buffer_finish(&small);
}

static void test_names(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {"", "..", "../jobs.db", "/etc/passwd", "abc",
        "0123456789abcdef0123456789abcdeG", "0123456789abcdef0123456789abcdef"};
    int fd;
    size_t size;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_fails(
            blobs_open_fd(&f->blobs, names[i], &fd, &size, &f->err), PF_NOT_FOUND, "", &f->err);
        blobs_remove(&f->blobs, names[i]);
    }
}

static void test_remove(void **state)
{
    struct fixture *f = *state;
    char id[ID_SIZE];
    assert_ok(blobs_put(&f->blobs, "x", 1, id, &f->err), &f->err);
    blobs_remove(&f->blobs, id);
    blobs_remove(&f->blobs, id);
    int fd;
    size_t size;
    assert_fails(blobs_open_fd(&f->blobs, id, &fd, &size, &f->err), PF_NOT_FOUND, "gone", &f->err);
    assert_int_equal(folder_count_files(f->folder.path, "spool"), 0);
}

static int is_kept(void *context, const char *id)
{
    return strcmp(context, id) == 0;
}

static void make_file(const struct fixture *f, const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", f->path, name);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    close(fd);
}

static void test_sweep(void **state)
{
    struct fixture *f = *state;
    char kept[ID_SIZE], left[ID_SIZE];
    size_t removed = 99;
    assert_ok(blobs_put(&f->blobs, "x", 1, kept, &f->err), &f->err);
    assert_ok(blobs_put(&f->blobs, "x", 1, left, &f->err), &f->err);
    make_file(f, "0123456789abcdef0123456789abcdef.tmp");
    make_file(f, "somebody-elses-file");
    assert_ok(blobs_sweep(&f->blobs, 3600000, is_kept, kept, &removed, &f->err), &f->err);
    assert_int_equal(removed, 0);
    assert_ok(blobs_sweep(&f->blobs, 0, is_kept, kept, &removed, &f->err), &f->err);
    assert_int_equal(removed, 2);
    assert_int_equal(folder_count_files(f->folder.path, "spool"), 2);
}

static void test_refused(void **state)
{
    struct fixture *f = *state;
    struct blobs other;
    assert_fails(blobs_open(&other, "/nonexistent/x", &f->err), PF_IO, "/nonexistent/x", &f->err);
    /* A full disk: /dev/full refuses every write, but is no folder; a folder that is gone will do.
     */
    char id[ID_SIZE] = "untouched";
    assert_int_equal(rmdir(f->path), 0);
    assert_fails(blobs_put(&f->blobs, "x", 1, id, &f->err), PF_IO, f->path, &f->err);
    assert_string_equal(id, "untouched");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_round_trip),
        TEST(test_bound),
        TEST(test_names),
        TEST(test_remove),
        TEST(test_sweep),
        TEST(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
