/* SPDX-License-Identifier: Apache-2.0 */
/* The keys with which guardd signs policies, and what is made for its own machine. */
#ifndef GUARDD_KEYS_H
#define GUARDD_KEYS_H

#include <guard/crypto.h>

struct signing_key {
    uint8_t public_key[GUARD_KEY_BYTES];
    uint8_t secret[64];
};

/* Reads keys/policy.key of the state directory, or makes it (0600), and writes keys/policy.pub
 * (0644, 64 hexadecimal digits). file: NULL, or where several guardds have the same key; it is only
 * read, and refused when the state directory has another one: GUARD_E_FOREIGN. Else GUARD_E_IO,
 * GUARD_E_SYNTAX, GUARD_E_LIMIT. */
GUARD_MUST_USE enum guard_rc signing_key_open(struct signing_key *out, const char *state,
                                              const char *file, struct guard_err *err);

/* The same with keys/node.key and keys/node.pub: the key of this machine, which signs what only its
 * own gates may believe. */
GUARD_MUST_USE enum guard_rc node_key_open(struct signing_key *out, const char *state,
                                           struct guard_err *err);

/* Of a node that has its policies from a parent: the public key alone. file: NULL, or where the
 * operator has it; it becomes keys/policy.pub, which gates verify with, when there is none, and is
 * refused when there is another one. GUARD_E_STATE: neither is there; GUARD_E_FOREIGN, GUARD_E_IO,
 * GUARD_E_SYNTAX. */
GUARD_MUST_USE enum guard_rc policy_key_open(struct signing_key *out, const char *state,
                                             const char *file, struct guard_err *err);

#endif
