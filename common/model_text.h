/* SPDX-License-Identifier: Apache-2.0 */
/* A learned field in one line, for people. */
#ifndef GUARD_COMMON_MODEL_TEXT_H
#define GUARD_COMMON_MODEL_TEXT_H

#include <guard/model.h>

enum { MODEL_TEXT_MAX = 1024 };

/* "int, digit, 1..6 bytes; 48211 values from 3120 clients". NUL-terminated, cut to fit. */
void model_field_text(const struct guard_model_field *field, char out[MODEL_TEXT_MAX]);
/* Only what is normal, without counts: what diff compares. */
void model_field_norm(const struct guard_model_field *field, char out[MODEL_TEXT_MAX]);

#endif
