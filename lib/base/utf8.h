/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 by a small automaton (RFC 3629). */
#ifndef GD_BASE_UTF8_H
#define GD_BASE_UTF8_H

#include "base/span.h"

enum gd_utf8 { GD_UTF8_VALID, GD_UTF8_OVERLONG, GD_UTF8_INVALID };
/* The worst that the bytes hold; GD_UTF8_VALID for ASCII and empty input. */
enum gd_utf8 gd_utf8_check(struct guard_span text);
/* Without the incomplete sequence at its end: what was cut at a maximum isn't to look invalid. */
struct guard_span gd_utf8_trim(struct guard_span text);

#endif
