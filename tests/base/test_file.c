/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/test.h"

#include "base/cleanup.h"
#include "base/file.h"

static char folder[] = "/tmp/promptfix-test-XXXXXX";

/* Paths in the folder of this test; the last eight are kept. */
static const char *path_of(const char *name)
{
    static char paths[8][320];
    static unsigned at;
    char *path = paths[at++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static int count_files(void)
{
    int count = 0;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(dir);
    return count;
}

static int set_up(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    DIR *dir = opendir(folder);
    if (!dir)
        return -1;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        if (entry->d_name[0] != '.')
            remove(path_of(entry->d_name));
    closedir(dir);
    return rmdir(folder);
}

static void test_write_then_read(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    const char *path = path_of("a");
    mode_t umask_before = umask(077);
    assert_ok(file_write(path, "one\0two", 7, 0644, 1, &err), &err);
    umask(umask_before);
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0644);
    AUTO_BUFFER struct buffer buffer = BUFFER_INIT;
    buffer_put_text(&buffer, "> ");
    assert_ok(file_read(path, 7, &buffer, &err), &err);
    assert_int_equal(buffer.size, 9);
    assert_memory_equal(buffer.data, "> one\0two", 10);
    assert_ok(file_write(path, "", 0, 0600, 0, &err), &err);
    buffer_clear(&buffer);
    assert_ok(file_read(path, 0, &buffer, &err), &err);
    assert_int_equal(buffer.size, 0);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0600);
}

static void test_large_file(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    enum { SIZE = 300001 };
    AUTO_FREE char *bytes = malloc(SIZE);
    assert_non_null(bytes);
    for (int i = 0; i < SIZE; i++)
        bytes[i] = (char)(i * 7 + i / 251);
    const char *path = path_of("large");
    assert_ok(file_write(path, bytes, SIZE, 0600, 0, &err), &err);
    AUTO_BUFFER struct buffer buffer = BUFFER_INIT_MAX(SIZE);
    assert_ok(file_read(path, SIZE_MAX, &buffer, &err), &err);
    assert_int_equal(buffer.size, SIZE);
    assert_memory_equal(buffer.data, bytes, SIZE);
    struct file_map map = {NULL, 0};
    assert_ok(file_map_open(&map, path, &err), &err);
    assert_int_equal(map.size, SIZE);
    file_map_prefetch(&map, 5000, 10);
    file_map_prefetch(&map, SIZE - 1, SIZE_MAX);
    file_map_prefetch(&map, SIZE, 1);
    assert_memory_equal(map.data, bytes, SIZE);
    file_map_close(&map);
    assert_null(map.data);
    file_map_close(&map);
}

static void test_read_keeps_its_maximum(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    const char *path = path_of("limit");
    assert_ok(file_write(path, "123456", 6, 0600, 0, &err), &err);
    AUTO_BUFFER struct buffer buffer = BUFFER_INIT;
    buffer_put_text(&buffer, "kept");
    assert_fails(file_read(path, 5, &buffer, &err), PF_INVALID, "6 bytes, the maximum is 5", &err);
    assert_string_equal(buffer.data, "kept");
    AUTO_BUFFER struct buffer small = BUFFER_INIT_MAX(5);
    assert_fails(file_read(path, 100, &small, &err), PF_INVALID, "limit: ", &err);
    assert_int_equal(small.size, 0);
    /* No size known beforehand: the limit holds while reading, too. */
    AUTO_BUFFER struct buffer endless = BUFFER_INIT;
    assert_fails(file_read("/dev/zero", 100000, &endless, &err), PF_INVALID,
        "/dev/zero: more than the maximum of 100000 bytes", &err);
    assert_int_equal(endless.size, 0);
}

static void test_missing_and_strange_paths(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    AUTO_BUFFER struct buffer buffer = BUFFER_INIT;
    struct file_map map = {(const unsigned char *)"untouched", 9};
    assert_fails(
        file_read(path_of("none"), 10, &buffer, &err), PF_NOT_FOUND, "none: no such file", &err);
    assert_fails(file_map_open(&map, path_of("none"), &err), PF_NOT_FOUND, "none", &err);
    assert_fails(file_read(folder, 10, &buffer, &err), PF_IO, "Is a directory", &err);
    assert_fails(file_map_open(&map, folder, &err), PF_INVALID, "not a regular file", &err);
    assert_int_equal(mkfifo(path_of("fifo"), 0600), 0);
    assert_fails(
        file_map_open(&map, path_of("fifo"), &err), PF_INVALID, "not a regular file", &err);
    assert_int_equal(map.size, 9);
    assert_fails(file_write(path_of("none/x"), "", 0, 0600, 0, &err), PF_NOT_FOUND, "none/x", &err);
    assert_ok(file_write(path_of("empty"), NULL, 0, 0600, 0, &err), &err);
    assert_ok(file_map_open(&map, path_of("empty"), &err), &err);
    assert_null(map.data);
    assert_int_equal(map.size, 0);
    file_map_prefetch(&map, 0, 1);
    file_map_close(&map);
}

static void test_failed_write_leaves_nothing(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    assert_int_equal(mkdir(path_of("taken"), 0700), 0);
    int before = count_files();
    assert_fails(file_write(path_of("taken"), "x", 1, 0600, 1, &err), PF_IO, "taken", &err);
    assert_int_equal(count_files(), before);
}

static void test_replaced_file_keeps_its_map(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct file_map map;
    const char *path = path_of("replaced");
    assert_ok(file_write(path, "old", 3, 0600, 0, &err), &err);
    assert_ok(file_map_open(&map, path, &err), &err);
    assert_ok(file_write(path, "", 0, 0600, 0, &err), &err);
    assert_memory_equal(map.data, "old", 3);
    file_map_close(&map);
}

enum { STREAM_SIZE = 1 << 20 };

struct sender {
    int fd;
    const char *bytes;
    enum pf_status status;
};

static void *send_all(void *argument)
{
    struct sender *sender = argument;
    sender->status = file_write_full(sender->fd, sender->bytes, STREAM_SIZE, NULL);
    close(sender->fd);
    return NULL;
}

/* A pipe holds far less than what is sent: both sides see short reads and writes. */
static void test_full_transfers(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    AUTO_FREE char *sent = malloc(STREAM_SIZE);
    AUTO_FREE char *got = calloc(1, STREAM_SIZE);
    assert_true(sent && got);
    for (int i = 0; i < STREAM_SIZE; i++)
        sent[i] = (char)(i / 3);
    int pipe_fds[2];
    assert_int_equal(pipe(pipe_fds), 0);
    struct sender sender = {.fd = pipe_fds[1], .bytes = sent};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, send_all, &sender), 0);
    int eof = 7;
    assert_ok(file_read_full(pipe_fds[0], got, STREAM_SIZE - 10, &eof, &err), &err);
    assert_int_equal(eof, 0);
    assert_memory_equal(got, sent, STREAM_SIZE - 10);
    assert_fails(file_read_full(pipe_fds[0], got, 11, &eof, &err), PF_CORRUPT,
        "ends after 10 of 11 bytes", &err);
    assert_ok(file_read_full(pipe_fds[0], got, 11, &eof, &err), &err);
    assert_int_equal(eof, 1);
    pthread_join(thread, NULL);
    assert_int_equal(sender.status, PF_OK);
    close(pipe_fds[0]);
}

static void test_full_transfers_report_errors(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    int pipe_fds[2];
    int eof = 0;
    char byte;
    assert_int_equal(pipe(pipe_fds), 0);
    close(pipe_fds[0]);
    assert_fails(file_write_full(pipe_fds[1], "x", 1, &err), PF_IO, "write: Broken pipe", &err);
    assert_fails(file_read_full(pipe_fds[1], &byte, 1, &eof, &err), PF_IO, "read: ", &err);
    close(pipe_fds[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write_then_read),
        cmocka_unit_test(test_large_file),
        cmocka_unit_test(test_read_keeps_its_maximum),
        cmocka_unit_test(test_missing_and_strange_paths),
        cmocka_unit_test(test_failed_write_leaves_nothing),
        cmocka_unit_test(test_replaced_file_keeps_its_map),
        cmocka_unit_test(test_full_transfers),
        cmocka_unit_test(test_full_transfers_report_errors),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
