/* SPDX-License-Identifier: Apache-2.0 */
#include "base/utf8.h"

/* The lead byte gives the length, and with it the least code point that may be written so long:
 * anything below is an overlong form. */
static size_t read_lead(unsigned char lead, uint32_t *ret_bits, uint32_t *ret_least)
{
    if (lead >= 0xC2 && lead <= 0xDF) {
        *ret_bits = lead & 0x1Fu;
        *ret_least = 0x80;
        return 2;
    }
    if (lead >= 0xE0 && lead <= 0xEF) {
        *ret_bits = lead & 0x0Fu;
        *ret_least = 0x800;
        return 3;
    }
    if (lead >= 0xF0 && lead <= 0xF4) {
        *ret_bits = lead & 0x07u;
        *ret_least = 0x10000;
        return 4;
    }
    return 0;
}

size_t utf8_decode(const char *text, size_t count, uint32_t *ret_code_point)
{
    const unsigned char *bytes = (const unsigned char *)text;
    *ret_code_point = UTF8_INVALID;
    if (bytes[0] < 0x80) {
        *ret_code_point = bytes[0];
        return 1;
    }
    uint32_t code_point = 0;
    uint32_t least = 0;
    size_t length = read_lead(bytes[0], &code_point, &least);
    if (length == 0 || length > count)
        return 1;
    for (size_t i = 1; i < length; i++) {
        if ((bytes[i] & 0xC0) != 0x80)
            return 1;
        code_point = code_point << 6 | (bytes[i] & 0x3Fu);
    }
    if (code_point < least || code_point > 0x10FFFF ||
        (code_point >= 0xD800 && code_point <= 0xDFFF))
        return 1;
    *ret_code_point = code_point;
    return length;
}

size_t utf8_encode(uint32_t code_point, char ret_bytes[4])
{
    unsigned char *bytes = (unsigned char *)ret_bytes;
    if (code_point < 0x80) {
        bytes[0] = (unsigned char)code_point;
        return 1;
    }
    size_t length = code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
    for (size_t i = length - 1; i > 0; i--) {
        bytes[i] = (unsigned char)(0x80 | (code_point & 0x3F));
        code_point >>= 6;
    }
    static const unsigned char leads[] = {0, 0, 0xC0, 0xE0, 0xF0};
    bytes[0] = (unsigned char)(leads[length] | code_point);
    return length;
}

int utf8_is_valid(const char *text, size_t count, size_t *ret_characters)
{
    size_t characters = 0;
    for (size_t at = 0; at < count; characters++) {
        uint32_t code_point;
        at += utf8_decode(text + at, count - at, &code_point);
        if (code_point == UTF8_INVALID)
            return 0;
    }
    if (ret_characters)
        *ret_characters = characters;
    return 1;
}
