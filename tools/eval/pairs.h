/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_EVAL_PAIRS_H
#define TOOLS_EVAL_PAIRS_H

/* A set of pairs to measure on: shards (tools/data/shards.h), or a folder
 *
 *     SET/input/NAME.png         the spoilt picture (png, jpg, webp, ppm or safetensors)
 *     SET/target/NAME.png        what it should become, of the same size
 *     SET/mask/NAME.png          optional: white where it is to be changed
 *     SET/instruction/NAME.json  {"instruction", "auxiliary", "task"}, each optional
 *     SET/instruction/NAME.txt   or the instruction alone
 *     SET/instruction.txt        or one instruction for all
 *
 * Target, mask and instruction go by the input's name without its ending. */

#include "tools/data/shards.h"
#include "tools/data/shards_write.h"

enum { PAIRS_TEXT_FILE_MAX = 64 << 10 };

struct pairs;

/* Errors  NOT_FOUND, IO, CORRUPT (a shard's), INVALID: neither shards nor an input/ folder */
PF_MUST_CHECK enum pf_status pairs_open(
    struct pairs **ret_pairs, const char *path, struct pf_error *err);
void pairs_close(struct pairs *pairs);
size_t pairs_count(const struct pairs *pairs);

/* Reads and decodes one. INVALID when a file is missing or sizes differ, with its name. */
PF_MUST_CHECK enum pf_status pairs_read(
    const struct pairs *pairs, size_t index, struct sample *ret_sample, struct pf_error *err);

/* Its texts alone, without decoding a picture: task, instruction, auxiliary (the key of a
 * folder's). */
PF_MUST_CHECK enum pf_status pairs_read_texts(
    const struct pairs *pairs, size_t index, struct sample *ret_sample, struct pf_error *err);

/* Writes samples as such a folder, which is made. PF_IO, PF_CONFLICT: a file that is there already,
 * PF_UNSUPPORTED: png in a build without libvips. */
PF_MUST_CHECK enum pf_status pairs_prepare(const char *folder, struct pf_error *err);
PF_MUST_CHECK enum pf_status pairs_write(const char *folder, const char *name,
    const struct sample *sample, enum picture_format format, struct pf_error *err);

#endif
