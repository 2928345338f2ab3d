/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 as HAR files hold bodies in: the standard and the URL alphabet, padded or not. */
#ifndef GUARD_COMMON_TRAFFIC_BASE64_H
#define GUARD_COMMON_TRAFFIC_BASE64_H

#include <guard/types.h>

/* out has room for text.len bytes. Line ends and blanks are passed over. False for other bytes. */
bool base64_decode(uint8_t *out, size_t *len, struct guard_span text);
/* The standard alphabet, padded, with a NUL: out has room for (bytes.len + 2) / 3 * 4 + 1 bytes. */
void base64_encode(char *out, struct guard_span bytes);

#endif
