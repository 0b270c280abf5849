/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_CLEANUP_H
#define BASE_CLEANUP_H

/* Cleanup attributes: a local so marked is released when it leaves its block. */

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_free(void *pointer_to_pointer)
{
    free(*(void **)pointer_to_pointer);
}

static inline void cleanup_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static inline void cleanup_file(FILE **file)
{
    if (*file)
        fclose(*file);
}

#define AUTO_FREE __attribute__((cleanup(cleanup_free)))
#define AUTO_FD   __attribute__((cleanup(cleanup_fd)))
#define AUTO_FILE __attribute__((cleanup(cleanup_file)))

/* Hands a pointer out of an AUTO_FREE local, which is left NULL. */
static inline void *cleanup_steal_(void *pointer_to_pointer)
{
    void *value = *(void **)pointer_to_pointer;
    *(void **)pointer_to_pointer = NULL;
    return value;
}

#define STEAL(pointer) cleanup_steal_(&(pointer))

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

#endif
