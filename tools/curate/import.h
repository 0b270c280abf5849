/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_CURATE_IMPORT_H
#define TOOLS_CURATE_IMPORT_H

/* Pairs that somebody else made, as shards. A folder holds
 *
 *     FOLDER/input/NAME.png         the spoilt picture (png, jpg, webp or ppm)
 *     FOLDER/target/NAME.png        what it should become, of the same size
 *     FOLDER/mask/NAME.png          optional: white where it is to be changed
 *     FOLDER/instruction/NAME.json  {"instruction", "auxiliary", "task"}, each optional
 *     FOLDER/instruction/NAME.txt   or the instruction alone
 *     FOLDER/instruction.txt        or one instruction for all
 *
 * the same layout that promptfix-eval measures on. Target, mask and instruction go by the input's
 * name without its ending. */

#include "base/buffer.h"
#include "base/error.h"
#include "tools/curate/files.h"
#include "tools/data/shards_write.h"

enum { IMPORT_TEXT_FILE_MAX = 64 << 10 };

struct import {
    const char *folder;
    struct files inputs;
    enum picture_format format;
    int quality;
};

/* NOT_FOUND when input/ is missing or empty. */
PF_MUST_CHECK enum pf_status import_open(
    struct import *ret_import, const char *folder, struct pf_error *err);
void import_finish(struct import *import);

/* Packs pair `index`, in the order of the names. INVALID, with the name: no target or instruction,
 * sizes that differ. CORRUPT for a damaged picture or json. */
PF_MUST_CHECK enum pf_status import_make(
    const struct import *import, size_t index, struct buffer *out, struct pf_error *err);

#endif
