/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "tests/test.h"

#include "base/cleanup.h"
#include "base/sha256.h"

static void check(const void *bytes, size_t count, const char *expected)
{
    /* In pieces of many sizes: the same digest. */
    for (size_t piece = 1; piece <= count + 1 && piece < 200; piece += count < 1000 ? 1 : 97) {
        struct sha256 sha;
        unsigned char digest[SHA256_SIZE];
        char text[SHA256_HEX_SIZE];
        sha256_init(&sha);
        for (size_t at = 0; at < count; at += piece)
            sha256_update(&sha, (const char *)bytes + at, count - at < piece ? count - at : piece);
        sha256_finish(&sha, digest);
        sha256_hex(digest, text);
        assert_string_equal(text, expected);
    }
}

/* The examples published with FIPS 180-4, and NIST's long one. */
static void test_published_examples(void **state)
{
    (void)state;
    check("", 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    check("abc", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    check("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56,
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    AUTO_FREE char *million = malloc(1000000);
    assert_non_null(million);
    memset(million, 'a', 1000000);
    check(million, 1000000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

/* Lengths around the padding's borders; the digest of the concatenated digests is Python's
 * hashlib's. */
static void test_every_length(void **state)
{
    (void)state;
    struct sha256 all;
    unsigned char bytes[200], digest[SHA256_SIZE];
    sha256_init(&all);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)i;
    for (size_t count = 0; count <= sizeof bytes; count++) {
        struct sha256 sha;
        sha256_init(&sha);
        sha256_update(&sha, bytes, count);
        sha256_finish(&sha, digest);
        sha256_update(&all, digest, sizeof digest);
    }
    char text[SHA256_HEX_SIZE];
    sha256_finish(&all, digest);
    sha256_hex(digest, text);
    assert_string_equal(text, "64ef7c229fce2408b5336b6a542fea0e078c3a87d2da85cb3fc52e2008b65021");
}

static void check_mac(const void *key, size_t key_size, const char *bytes, const char *expected)
{
    unsigned char mac[SHA256_SIZE];
    char text[SHA256_HEX_SIZE];
    sha256_hmac(key, key_size, bytes, strlen(bytes), mac);
    sha256_hex(mac, text);
    assert_string_equal(text, expected);
}

/* RFC 4231, cases 1, 2 and 6 (a key longer than a block); an empty key and text. */
static void test_hmac(void **state)
{
    (void)state;
    unsigned char key[131];
    memset(key, 0x0b, sizeof key);
    check_mac(
        key, 20, "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    check_mac("Jefe", 4, "what do ya want for nothing?",
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, sizeof key);
    check_mac(key, sizeof key, "Test Using Larger Than Block-Size Key - Hash Key First",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    check_mac("", 0, "", "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
    check_mac(key, 64, "x", "ce3c639dcb9d8baae5d44c3b8b5e233faab4d1860e07489af5c84f213998bd79");
    check_mac(key, 65, "x", "c2b9a0a013df029c7d812c5ac18388feef0194ee64fcc5f321d149c06137caa3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_examples),
        cmocka_unit_test(test_every_length),
        cmocka_unit_test(test_hmac),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
