/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_ID_H
#define BASE_ID_H

#include <stddef.h>

#include "base/error.h"

/* 128 random bits as 32 lower-case hex digits and a NUL: unguessable, safe in URLs and files. */
enum { ID_SIZE = 33 };

PF_MUST_CHECK enum pf_status id_create(char ret_id[ID_SIZE], struct pf_error *err);

/* 1 when `text` has exactly the form of an id. */
int id_is_valid(const char *text);

/* Fills `bytes` from the system's random source. */
PF_MUST_CHECK enum pf_status id_random(void *bytes, size_t count, struct pf_error *err);

#endif
