/* SPDX-License-Identifier: Apache-2.0 */
/* The words of Guardian documents that reading and writing share. */
#ifndef GUARD_COMMON_GUARDIAN_WORDS_H
#define GUARD_COMMON_GUARDIAN_WORDS_H

#include <guard/guardian.h>

#define GUARDIAN_VERSION "guard/v1alpha1"

enum { GUARDIAN_VALUES_MAX = 256, GUARDIAN_TEXT_MAX = 256 };

/* The bit of a type's name, 0 when there is no such type. */
uint32_t guardian_type_bit(struct guard_span text);
/* The bit of a class: "lower", "latin", ... or one ASCII punctuation character; 0 when it is
 * neither. */
uint64_t guardian_class_bit(struct guard_span text);
/* The class as a document writes it; NUL-terminated. */
void guardian_class_word(enum guard_class cls, char out[16]);
/* The bit of a kind of leak: "stack-trace", ...; 0 when there is no such kind. */
uint32_t guardian_leak_bit(struct guard_span text);
/* "2xx"; false when it is none. */
bool guardian_status_class(struct guard_span text, struct guard_status_range *out);
/* "404", "2xx"; NUL-terminated. */
void guardian_status_word(struct guard_status_range range, char out[8]);
/* 64 hexadecimal digits. */
bool guardian_digest_parse(struct guard_span text, uint8_t out[GUARD_DIGEST_BYTES]);
void guardian_digest_write(const uint8_t digest[GUARD_DIGEST_BYTES],
                           char out[2 * GUARD_DIGEST_BYTES + 1]);

#endif
