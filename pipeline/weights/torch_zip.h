/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_WEIGHTS_TORCH_ZIP_H
#define PIPELINE_WEIGHTS_TORCH_ZIP_H

/* PyTorch's zip checkpoints: ROOT/data.pkl, a pickle of the state dict whose tensors refer to the
 * entries ROOT/data/KEY by persistent ids. ROOT may be any folder. Source: torch/serialization.py,
 * torch/_utils.py. */

#include <stddef.h>

#include "base/error.h"
#include "pipeline/weights/array_table.h"

/* Fills an initialised table with arrays that point into `data`. The state dict is the pickled dict
 * itself, or the dict under its key "state_dict". The table's content is undefined after an error.
 * Errors  those of zip_open() and pickle_read(); PF_CORRUPT a tensor's numbers don't fit its
 * storage, a storage is missing; PF_UNSUPPORTED an object of an unknown class where a tensor or the
 *         state dict should be, an unknown dtype, big-endian data, no tensors at all */
PF_MUST_CHECK enum pf_status torch_zip_read(
    const unsigned char *data, size_t size, struct array_table *table, struct pf_error *err);

#endif
