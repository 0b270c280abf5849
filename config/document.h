/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIG_DOCUMENT_H
#define CONFIG_DOCUMENT_H

/* What is generated from the table of options. */

#include "config/config.h"

void document_put_help(struct buffer *out, enum config_program program);
void document_put_config(struct buffer *out, const struct config *config);
void document_put_schema(struct buffer *out);
void document_put_markdown(struct buffer *out);

#endif
