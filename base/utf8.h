/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Reads one code point of `count` > 0 bytes. Returns the bytes it took (1–4); an invalid sequence
 * (overlong, surrogate, truncated, beyond U+10FFFF) takes 1 byte and gives UTF8_INVALID. */
#define UTF8_INVALID UINT32_C(0xFFFFFFFF)
size_t utf8_decode(const char *text, size_t count, uint32_t *ret_code_point);

/* Writes a code point; returns its bytes (1–4). */
size_t utf8_encode(uint32_t code_point, char ret_bytes[4]);

/* Whether all `count` bytes are valid; when so, *ret_characters (may be NULL) is their number. */
int utf8_is_valid(const char *text, size_t count, size_t *ret_characters);

#endif
