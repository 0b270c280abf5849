/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/weights/crc32.h"

void crc32_init(struct crc32 *crc32)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ UINT32_C(0xEDB88320) : crc >> 1;
        crc32->tables[0][i] = crc;
    }
    for (int slice = 1; slice < 8; slice++) {
        for (uint32_t i = 0; i < 256; i++) {
            uint32_t crc = crc32->tables[slice - 1][i];
            crc32->tables[slice][i] = crc >> 8 ^ crc32->tables[0][crc & 0xFF];
        }
    }
}

uint32_t crc32_update(const struct crc32 *crc32, uint32_t crc, const void *bytes, size_t count)
{
    const unsigned char *at = bytes;
    const uint32_t(*tables)[256] = crc32->tables;
    crc = ~crc;
    for (; count >= 8; at += 8, count -= 8) {
        crc ^=
            (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
        crc = tables[7][crc & 0xFF] ^ tables[6][crc >> 8 & 0xFF] ^ tables[5][crc >> 16 & 0xFF] ^
              tables[4][crc >> 24] ^ tables[3][at[4]] ^ tables[2][at[5]] ^ tables[1][at[6]] ^
              tables[0][at[7]];
    }
    while (count-- > 0)
        crc = crc >> 8 ^ tables[0][(crc ^ *at++) & 0xFF];
    return ~crc;
}
