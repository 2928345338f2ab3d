/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 by a small automaton (RFC 3629). */
#ifndef GD_BASE_UTF8_H
#define GD_BASE_UTF8_H

#include "base/span.h"

enum gd_utf8 { GD_UTF8_VALID, GD_UTF8_OVERLONG, GD_UTF8_INVALID };
/* The worst that the bytes hold; GD_UTF8_VALID for ASCII and empty input. */
enum gd_utf8 gd_utf8_check(struct guard_span text);
/* The length of the valid sequence that starts at `at`, a byte >= 0x80; 0 when it is broken. */
size_t gd_utf8_sequence(const uint8_t *at, size_t left);
/* Without the incomplete sequence at its end: what was cut at a maximum isn't to look invalid. */
struct guard_span gd_utf8_trim(struct guard_span text);

#endif
