/* SPDX-License-Identifier: Apache-2.0 */
/* HMAC-SHA256, which is what receivers of webhooks can check everywhere; what Guard signs for
 * itself is signed otherwise. */
#ifndef GUARD_COMMON_HMAC_H
#define GUARD_COMMON_HMAC_H

#include <guard/types.h>

enum { HMAC_HEX_CAP = 65 };

/* Of the parts one behind the other, in hexadecimal with a NUL. */
void hmac_sha256_hex(char out[HMAC_HEX_CAP], struct guard_span key, const struct guard_span *parts,
                     size_t count);

#endif
