/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_PIPELINE_TORCH_THROWS_H
#define TESTS_PIPELINE_TORCH_THROWS_H

/* Exceptions of every kind, thrown behind the shim's wall. */

#ifdef __cplusplus
extern "C" {
#endif

void throws_int(void);
void throws_standard(const char *message);
void throws_torch(const char *message);
void throws_bad_alloc(void);

#ifdef __cplusplus
}
#endif

#endif
