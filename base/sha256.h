/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_SHA256_H
#define BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

enum { SHA256_SIZE = 32, SHA256_HEX_SIZE = 65 };

/* SHA-256 (FIPS 180-4) of bytes that come in pieces. */
struct sha256 {
    uint32_t state[8];
    uint64_t count; /* bytes so far */
    unsigned char block[64];
};

void sha256_init(struct sha256 *sha);
void sha256_update(struct sha256 *sha, const void *bytes, size_t count);
void sha256_finish(struct sha256 *sha, unsigned char ret_digest[SHA256_SIZE]);

/* Lower-case hex and a NUL. */
void sha256_hex(const unsigned char digest[SHA256_SIZE], char ret_text[SHA256_HEX_SIZE]);

/* HMAC-SHA256 (RFC 2104). */
void sha256_hmac(const void *key, size_t key_size, const void *bytes, size_t count,
    unsigned char ret_mac[SHA256_SIZE]);

#endif
