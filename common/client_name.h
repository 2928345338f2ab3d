/* SPDX-License-Identifier: Apache-2.0 */
/* How guardd names a client in verdicts and alerts, from what people write. */
#ifndef GUARD_COMMON_CLIENT_NAME_H
#define GUARD_COMMON_CLIENT_NAME_H

#include <guard/client.h>

enum { CLIENT_NAME_MAX = 64 };

/* "subject ..." as it is; of an address or a prefix the prefix that it stands for (/24, /56).
 * False: it is none. */
bool client_name(const char *text, char out[CLIENT_NAME_MAX]);

/* The same for what shall be blocked, where guessing what is meant would hit others: a prefix must
 * be within that which it stands for, a subject is named as verdicts name it (16 hexadecimal
 * digits), and addresses that are nobody's or everybody's are refused. *why: what is wrong. */
bool client_name_of_one(const char *text, char out[CLIENT_NAME_MAX], const char **why);

/* What a name that client_name_of_one gave says, as records have it; subject holds the head of its
 * digest. False: it is none. */
bool client_of_name(const char *name, struct guard_client *out,
                    uint8_t subject[GUARD_CLIENT_SUBJECT]);

/* Whether an alert's client is the one that people mean: the same text, the prefix of the address
 * that they name, or an address in the prefix that they name. who: what client_name takes. */
bool client_is(const char *who, struct guard_span client);

/* The line with each mention of the client, by its address or its prefix, replaced by "forgotten":
 * out has room for len + 9 * mentions, of which there is one at most in four bytes. Returns how
 * many there were; *out_len only when there are some. */
uint32_t client_redact(const char *who, struct guard_span line, char *out, size_t cap,
                       size_t *out_len);

#endif
