/* SPDX-License-Identifier: Apache-2.0 */
/* The file of a database of patterns: a head, signed by the node's own key, and the database. The
 * library believes what it opens, so nothing is opened that this node didn't make. */
#ifndef GUARD_COMMON_PATTERNS_SEALED_H
#define GUARD_COMMON_PATTERNS_SEALED_H

#include <guard/types.h>

enum { SEALED_HEAD_BYTES = 256 };

/* What the head says, once its signature held. */
struct sealed {
    uint8_t name[GUARD_DIGEST_BYTES];    /* patterns_digest of what was built */
    uint8_t content[GUARD_DIGEST_BYTES]; /* guard_digest of the bytes behind the head */
    uint64_t len;                        /* of them */
};

/* The file of a database. *out is malloc'd. GUARD_E_NOMEM, GUARD_E_LIMIT. */
GUARD_MUST_USE enum guard_rc seal(struct guard_span database,
                                  const uint8_t name[GUARD_DIGEST_BYTES], const uint8_t secret[64],
                                  uint8_t **out, size_t *len);
/* head: the file's first bytes; file_len: of all of it. GUARD_E_SYNTAX: no such file, cut off or
 * with something behind; GUARD_E_VERSION; GUARD_E_SIGNATURE: another key made it, or nobody. What
 * follows the head is good when its digest is content. */
GUARD_MUST_USE enum guard_rc sealed_open(struct sealed *out, struct guard_span head,
                                         uint64_t file_len,
                                         const uint8_t public_key[GUARD_KEY_BYTES],
                                         struct guard_err *err);
/* All at once: *database is a part of file. GUARD_E_CHECKSUM: not the bytes that were signed. */
GUARD_MUST_USE enum guard_rc sealed_read(struct sealed *out, struct guard_span file,
                                         const uint8_t public_key[GUARD_KEY_BYTES],
                                         struct guard_span *database, struct guard_err *err);

#endif
