/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "tests/test.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "pipeline/weights/pickle.h"
#include "tests/pipeline/weights/archive.h"

/* A pickle of literal opcodes, without its NUL. */
#define OPS(text) (text), sizeof(text) - 1

static enum pf_status read_exact(const void *bytes, size_t size, struct pf_error *err)
{
    struct pickle *pickle = NULL;
    AUTO_FREE unsigned char *copy = malloc(size ? size : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, size);
    enum pf_status status = pickle_read(&pickle, copy, size, err);
    pickle_destroy(pickle);
    return status;
}

static void check_fails(const void *bytes, size_t size, enum pf_status status, const char *part)
{
    struct pf_error err = PF_ERROR_INIT;
    assert_fails(read_exact(bytes, size, &err), status, part, &err);
}

static struct pickle *read_good(const void *bytes, size_t size)
{
    struct pf_error err = PF_ERROR_INIT;
    struct pickle *pickle = NULL;
    assert_ok(pickle_read(&pickle, bytes, size, &err), &err);
    for (size_t cut = 0; cut < size; cut++)
        assert_int_not_equal(read_exact(bytes, cut, NULL), PF_OK);
    return pickle;
}

static void test_values(void **state)
{
    (void)state;
    /* (None, True, -2, 70000, 2**63-1, -1, "é", b"x", 1.0, 2**64) */
    struct pickle *pickle = read_good(OPS("\x80\x02(N\x88J\xfe\xff\xff\xffJ\x70\x11\x01\x00"
                                          "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f\x8a\x01\xff"
                                          "X\x02\x00\x00\x00\xc3\xa9"
                                          "C\x01xG?\xf0\x00\x00\x00\x00\x00\x00"
                                          "\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x01t."));
    const struct pickle_value *root = pickle_root(pickle);
    assert_int_equal(root->kind, PICKLE_TUPLE);
    assert_int_equal(root->count, 10);
    assert_int_equal(root->items[0]->kind, PICKLE_NONE);
    assert_int_equal(root->items[1]->integer, 1);
    assert_int_equal(root->items[2]->integer, -2);
    assert_int_equal(root->items[3]->integer, 70000);
    assert_true(root->items[4]->integer == INT64_MAX);
    assert_int_equal(root->items[5]->integer, -1);
    assert_true(pickle_is_text(root->items[6], "\xc3\xa9"));
    assert_int_equal(root->items[7]->kind, PICKLE_BYTES);
    assert_int_equal(root->items[8]->kind, PICKLE_FLOAT);
    assert_int_equal(root->items[9]->kind, PICKLE_BIG_INT);
    pickle_destroy(pickle);
}

static void test_containers(void **state)
{
    (void)state;
    /* {"a": [1, 2, (3,)], "b": {}}, by SETITEM and SETITEMS, with a memo */
    struct pickle *pickle = read_good(OPS("\x80\x03}q\x00X\x01\x00\x00\x00"
                                          "a]q\x01(K\x01K\x02"
                                          "eK\x03\x85"
                                          "as(X\x01\x00\x00\x00"
                                          "b}u."));
    const struct pickle_value *root = pickle_root(pickle);
    assert_int_equal(root->kind, PICKLE_DICT);
    assert_int_equal(root->count, 4);
    assert_true(pickle_is_text(root->items[2], "b"));
    const struct pickle_value *list = root->items[1];
    assert_int_equal(list->kind, PICKLE_LIST);
    assert_int_equal(list->count, 3);
    assert_int_equal(list->items[2]->items[0]->integer, 3);
    pickle_destroy(pickle);
}

static void test_objects_are_only_recorded(void **state)
{
    (void)state;
    /* protocol 4: os.system("x") by STACK_GLOBAL, memoized, with attributes and items set */
    struct pickle *pickle = read_good(OPS("\x80\x04\x95\x1f\x00\x00\x00\x00\x00\x00\x00"
                                          "\x8c\x02os\x94\x8c\x06system\x94\x93\x94"
                                          "\x8c\x01x\x85\x94R\x94}b(K\x01K\x02u."));
    const struct pickle_value *root = pickle_root(pickle);
    assert_int_equal(root->kind, PICKLE_OBJECT);
    assert_true(pickle_is_class(root->object.callable, "os", "system"));
    assert_false(pickle_is_class(root->object.callable, "os", "syste"));
    assert_int_equal(root->object.arguments->count, 1);
    assert_int_equal(root->count, 2);
    pickle_destroy(pickle);
}

static void test_refuses(void **state)
{
    (void)state;
    check_fails(OPS(""), PF_CORRUPT, "no end");
    check_fails(OPS("\x80\x05N."), PF_UNSUPPORTED, "protocol 5");
    check_fails(OPS("\x80\x01N."), PF_UNSUPPORTED, "protocol 1");
    check_fails(OPS("\x80\x02I12\n."), PF_UNSUPPORTED, "opcode 0x49 at 2");
    check_fails(OPS("\x80\x02\x82\x01."), PF_UNSUPPORTED, "opcode 0x82");       /* EXT1 */
    check_fails(OPS("\x80\x02(ios\nsystem\n."), PF_UNSUPPORTED, "opcode 0x69"); /* INST */
    check_fails(OPS("\x80\x02Pabc\n."), PF_UNSUPPORTED, "opcode 0x50");
    check_fails(OPS("\x80\x02."), PF_CORRUPT, "nothing on the stack");
    check_fails(OPS("\x80\x02NN."), PF_CORRUPT, "left over");
    check_fails(OPS("\x80\x02(N."), PF_CORRUPT, "left over");
    check_fails(OPS("\x80\x02t."), PF_CORRUPT, "no mark");
    check_fails(OPS("\x80\x02N(\x85t."), PF_CORRUPT, "nothing on the stack"); /* below the mark */
    check_fails(OPS("\x80\x02N(0."), PF_CORRUPT, "nothing on the stack");
    check_fails(OPS("\x80\x02h\x00."), PF_CORRUPT, "nothing is remembered");
    check_fails(OPS("\x80\x02j\xff\xff\xff\xff."), PF_CORRUPT, "nothing is remembered");
    check_fails(OPS("\x80\x02Nr\xff\xff\xff\xff."), PF_CORRUPT, "memo number");
    check_fails(OPS("\x80\x02q\x00."), PF_CORRUPT, "nothing on the stack");
    check_fails(OPS("\x80\x02}(K\x01u."), PF_CORRUPT, "a key without a value");
    check_fails(OPS("\x80\x02](K\x01K\x02u."), PF_CORRUPT, "something else than a dict");
    check_fails(OPS("\x80\x02}K\x01"
                    "a."),
        PF_CORRUPT, "something else than a list");
    check_fails(OPS("\x80\x02NN\x85R."), PF_CORRUPT, "no class is called");
    check_fails(OPS("\x80\x02"
                    "cos\nsystem\nNR."),
        PF_CORRUPT, "arguments that are no tuple");
    check_fails(OPS("\x80\x02}}b."), PF_CORRUPT, "attributes");
    check_fails(OPS("\x80\x04NN\x93."), PF_CORRUPT, "two texts");
    check_fails(OPS("\x80\x02"
                    "cos"),
        PF_CORRUPT, "without end");
    check_fails(OPS("\x80\x02X\xff\xff\xff\xff"
                    "abc."),
        PF_CORRUPT, "needs 4294967295 more bytes, 4 are left");
    check_fails(OPS("\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\xff"
                    "abc."),
        PF_CORRUPT, "needs 18446744073709551615 more bytes");
    check_fails(OPS("\x80\x02\x8b\xff\xff\xff\xff."), PF_CORRUPT, "needs 4294967295");
    check_fails(OPS("\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\xffN."), PF_CORRUPT, "frame");
}

static void test_self_reference(void **state)
{
    (void)state;
    /* a list that holds itself, and a dict that is its own key and value */
    struct pickle *pickle = read_good(OPS("\x80\x02]q\x00h\x00"
                                          "a."));
    assert_ptr_equal(pickle_root(pickle)->items[0], pickle_root(pickle));
    pickle_destroy(pickle);
    pickle = read_good(OPS("\x80\x02}q\x00h\x00h\x00s."));
    assert_int_equal(pickle_root(pickle)->count, 2);
    pickle_destroy(pickle);
}

/* Fills a buffer with `count` times `unit`. */
static void repeat(struct buffer *out, const char *unit, size_t unit_size, size_t count)
{
    for (size_t i = 0; i < count; i++)
        buffer_put(out, unit, unit_size);
}

static void check_bomb(const char *start, const char *unit, size_t unit_size, size_t count,
    enum pf_status status, const char *part)
{
    struct pf_error err = PF_ERROR_INIT;
    AUTO_BUFFER struct buffer bytes = BUFFER_INIT;
    buffer_put_text(&bytes, "\x80\x02");
    buffer_put_text(&bytes, start);
    repeat(&bytes, unit, unit_size, count);
    int64_t begin = clock_monotonic_ms();
    assert_fails(read_exact(bytes.data, bytes.size, &err), status, part, &err);
    assert_true(clock_monotonic_ms() - begin < 20000); /* sanitizers included */
}

static void test_bombs_end_quickly(void **state)
{
    (void)state;
    check_bomb("", "(", 1, 1 << 20, PF_CORRUPT, "nested too deeply");
    check_bomb("", "N", 1, 1 << 20, PF_CORRUPT, "the stack is too high");
    check_bomb("", "N0", 2, 3 << 20, PF_CORRUPT, "too many values");
    check_bomb("N", "20", 2, 5 << 20, PF_CORRUPT, "too many opcodes");
    check_bomb("]q\x01",
        "h\x01"
        "a",
        3, 5 << 20, PF_CORRUPT, "too many items");
    /* ten lists, each holding the one before ten times: nothing is ever expanded */
    AUTO_BUFFER struct buffer laughs = BUFFER_INIT;
    buffer_put_text(&laughs, "\x80\x02N");
    for (int i = 0; i < 200; i++) {
        buffer_put_format(&laughs, "q%c0](", (char)1);
        repeat(&laughs, "h\x01", 2, 10);
        buffer_put_text(&laughs, "e");
    }
    buffer_put_text(&laughs, ".");
    struct pf_error err = PF_ERROR_INIT;
    assert_ok(read_exact(laughs.data, laughs.size, &err), &err);
    /* deep nesting without marks */
    AUTO_BUFFER struct buffer deep = BUFFER_INIT;
    buffer_put_text(&deep, "\x80\x02N");
    repeat(&deep, "\x85", 1, 1 << 20);
    buffer_put_text(&deep, ".");
    assert_ok(read_exact(deep.data, deep.size, &err), &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_containers),
        cmocka_unit_test(test_objects_are_only_recorded),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_self_reference),
        cmocka_unit_test(test_bombs_end_quickly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
