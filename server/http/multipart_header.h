/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_HTTP_MULTIPART_HEADER_H
#define SERVER_HTTP_MULTIPART_HEADER_H

/* The header lines inside a multipart body, and the boundary in the header above it. */

#include "server/http/multipart.h"

/* Copies the boundary of "multipart/form-data; boundary=…" (a token or a quoted string). Errors as
 * multipart_create(). */
PF_MUST_CHECK enum pf_status multipart_parse_boundary(
    const char *content_type, char ret_boundary[MULTIPART_BOUNDARY_MAX + 1], struct pf_error *err);

/* Reads the header lines of one part (`count` bytes, each line ended by CRLF) into its name,
 * file_name, content_type and is_file. PF_INVALID. */
PF_MUST_CHECK enum pf_status multipart_parse_headers(
    const char *lines, size_t count, struct multipart_part *ret_part, struct pf_error *err);

#endif
