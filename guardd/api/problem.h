/* SPDX-License-Identifier: Apache-2.0 */
/* What went wrong, as application/problem+json (RFC 9457), with the field that is to blame. */
#ifndef GUARDD_API_PROBLEM_H
#define GUARDD_API_PROBLEM_H

#include "api.h"

/* Answers with {"type","title","status","detail","field"?}. field: the member, parameter or header,
 * NULL: none. kind becomes "urn:guard:problem:KIND"; static texts. */
void problem(struct api_response *response, unsigned status, const char *kind, const char *field,
             const char *format, ...) GUARD_PRINTF(5, 6);
/* Of a document that a reader refused, "name:line:column: text (at a.b)": with "line", "column" and
 * the member's path as "field". */
void problem_document(struct api_response *response, unsigned status, const struct guard_err *err);
/* Of a change that failed: by rc 409, 422, 500, 503 or 507. */
void problem_change(struct api_response *response, enum guard_rc rc, const struct guard_err *err);

#endif
