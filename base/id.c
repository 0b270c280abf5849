/* SPDX-License-Identifier: Apache-2.0 */
#include "base/id.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <sys/types.h>

enum { ID_BYTES = (ID_SIZE - 1) / 2 };

enum pf_status id_random(void *bytes, size_t count, struct pf_error *err)
{
    unsigned char *at = bytes;
    while (count > 0) {
        ssize_t got = getrandom(at, count, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return pf_fail_errno(err, errno, "random source");
        at += got;
        count -= (size_t)got;
    }
    return PF_OK;
}

enum pf_status id_create(char ret_id[ID_SIZE], struct pf_error *err)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char bytes[ID_BYTES];
    PF_TRY(id_random(bytes, sizeof bytes, err));
    for (size_t i = 0; i < ID_BYTES; i++) {
        ret_id[2 * i] = digits[bytes[i] >> 4];
        ret_id[2 * i + 1] = digits[bytes[i] & 15];
    }
    ret_id[ID_SIZE - 1] = '\0';
    return PF_OK;
}

int id_is_valid(const char *text)
{
    return strspn(text, "0123456789abcdef") == ID_SIZE - 1 && text[ID_SIZE - 1] == '\0';
}
