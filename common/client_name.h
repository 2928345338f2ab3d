/* SPDX-License-Identifier: Apache-2.0 */
/* How guardd names a client in verdicts and alerts, from what people write. */
#ifndef GUARD_COMMON_CLIENT_NAME_H
#define GUARD_COMMON_CLIENT_NAME_H

#include <guard/types.h>

enum { CLIENT_NAME_MAX = 64 };

/* "subject ..." as it is; of an address or a prefix the prefix that it stands for (/24, /56).
 * False: it is none. */
bool client_name(const char *text, char out[CLIENT_NAME_MAX]);

/* Whether an alert's client is the one that people mean: the same text, the prefix of the address
 * that they name, or an address in the prefix that they name. who: what client_name takes. */
bool client_is(const char *who, struct guard_span client);

/* The line with each mention of the client, by its address or its prefix, replaced by "forgotten":
 * out has room for len + 9 * mentions, of which there is one at most in four bytes. Returns how
 * many there were; *out_len only when there are some. */
uint32_t client_redact(const char *who, struct guard_span line, char *out, size_t cap,
                       size_t *out_len);

#endif
