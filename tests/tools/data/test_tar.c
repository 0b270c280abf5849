/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "tests/test.h"
#include "tools/data/tar.h"

static struct pf_error err;

static int setup(void **state)
{
    (void)state;
    err = (struct pf_error)PF_ERROR_INIT;
    return 0;
}

/* Two files: "a/one.txt" of 5 bytes, "two" of 600. */
static void make_archive(struct buffer *archive)
{
    char long_text[600];
    memset(long_text, 'x', sizeof long_text);
    assert_ok(tar_put(archive, "a/one.txt", "hello", 5, &err), &err);
    assert_ok(tar_put(archive, "two", long_text, sizeof long_text, &err), &err);
    tar_put_end(archive);
    assert_ok(buffer_status(archive, &err), &err);
}

static enum pf_status next(
    const struct buffer *archive, size_t count, size_t *offset, struct tar_entry *entry, int *found)
{
    return tar_next((const unsigned char *)archive->data, count, offset, entry, found, &err);
}

static void test_round_trip(void **state)
{
    (void)state;
    AUTO_BUFFER struct buffer archive = BUFFER_INIT;
    struct tar_entry entry;
    size_t offset = 0;
    int found;
    make_archive(&archive);
    assert_int_equal(archive.size, 512 + 512 + 512 + 1024 + 1024);
    assert_ok(next(&archive, archive.size, &offset, &entry, &found), &err);
    assert_int_equal(found, 1);
    assert_string_equal(entry.name, "a/one.txt");
    assert_int_equal(entry.size, 5);
    assert_memory_equal(archive.data + entry.offset, "hello", 5);
    assert_ok(next(&archive, archive.size, &offset, &entry, &found), &err);
    assert_string_equal(entry.name, "two");
    assert_int_equal(entry.size, 600);
    assert_ok(next(&archive, archive.size, &offset, &entry, &found), &err);
    assert_int_equal(found, 0);
}

/* No zero blocks, and the last file's padding missing: some writers end so. */
static void test_bare_end(void **state)
{
    (void)state;
    AUTO_BUFFER struct buffer archive = BUFFER_INIT;
    struct tar_entry entry;
    size_t offset = 0;
    int found;
    assert_ok(tar_put(&archive, "one", "hello", 5, &err), &err);
    assert_ok(next(&archive, 512 + 5, &offset, &entry, &found), &err);
    assert_int_equal(entry.size, 5);
    assert_ok(next(&archive, 512 + 5, &offset, &entry, &found), &err);
    assert_int_equal(found, 0);
}

static void test_damaged(void **state)
{
    (void)state;
    AUTO_BUFFER struct buffer archive = BUFFER_INIT;
    struct tar_entry entry;
    size_t offset = 0;
    int found;
    make_archive(&archive);
    assert_fails(next(&archive, 300, &offset, &entry, &found), PF_CORRUPT, "cut short", &err);
    assert_fails(next(&archive, 514, &offset, &entry, &found), PF_CORRUPT, "has 5 bytes", &err);
    archive.data[2] ^= 1;
    assert_fails(
        next(&archive, archive.size, &offset, &entry, &found), PF_CORRUPT, "checksum", &err);
    assert_int_equal(offset, 0);
}

/* A size that is no octal number, under a checksum that fits. */
static void test_size_not_octal(void **state)
{
    (void)state;
    AUTO_BUFFER struct buffer archive = BUFFER_INIT;
    struct tar_entry entry;
    size_t offset = 0;
    int found;
    make_archive(&archive);
    archive.data[124 + 10] = '8';
    unsigned sum = 0;
    for (int i = 0; i < 512; i++)
        sum += i >= 148 && i < 156 ? ' ' : (unsigned char)archive.data[i];
    char text[8];
    snprintf(text, sizeof text, "%06o", sum);
    memcpy(archive.data + 148, text, 6);
    assert_fails(next(&archive, archive.size, &offset, &entry, &found), PF_CORRUPT, "octal", &err);
}

static void test_names(void **state)
{
    (void)state;
    AUTO_BUFFER struct buffer archive = BUFFER_INIT;
    char name[102];
    memset(name, 'n', 101);
    name[101] = '\0';
    assert_fails(tar_put(&archive, name, "", 0, &err), PF_INVALID, "101 bytes", &err);
    assert_fails(tar_put(&archive, "", "", 0, &err), PF_INVALID, "0 bytes", &err);
    name[100] = '\0';
    assert_ok(tar_put(&archive, name, "", 0, &err), &err);
    struct tar_entry entry;
    size_t offset = 0;
    int found;
    assert_ok(next(&archive, archive.size, &offset, &entry, &found), &err);
    assert_string_equal(entry.name, name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_round_trip, setup),
        cmocka_unit_test_setup(test_bare_end, setup),
        cmocka_unit_test_setup(test_damaged, setup),
        cmocka_unit_test_setup(test_size_not_octal, setup),
        cmocka_unit_test_setup(test_names, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
