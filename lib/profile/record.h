/* SPDX-License-Identifier: Apache-2.0 */
/* The binary form of a profile: what the gate writes into its ring, what offline learning goes
 * through as well. docs/internals/record.md is its specification. Client addresses are reduced to
 * /24 and /56. */
#ifndef GD_PROFILE_RECORD_H
#define GD_PROFILE_RECORD_H

#include "profile/profile.h"

enum {
    GD_RECORD_VERSION = 6,       /* with a revision and what values read like, */
    GD_RECORD_VERSION_READS = 5, /* with what values read like, */
    GD_RECORD_VERSION_PLAIN = 4, /* without: of values that read like nothing */
    GD_SERVICE_MAX = 128,
    GD_METHOD_MAX = 16,
    GD_MEDIA_MAX = 128,
    GD_SUBJECT_DIGEST = 16, /* bytes of the subject's digest in a record */
    /* What the arena of a decoder must be able to give for any record of GUARD_RECORD_MAX bytes. */
    GD_RECORD_ARENA = 768 * 1024,
};

/* Writes at most cap bytes. Fields that don't fit are left out from the end, with
 * GUARD_FAULT_RECORD. GUARD_E_LIMIT when the head might not fit. A client's subject is written as
 * the head of its digest; that of a decoded profile is one already (GD_SUBJECT_DIGEST bytes) and
 * would be digested again. */
GUARD_MUST_USE enum guard_rc gd_record_encode(const struct gd_profile *profile, uint8_t *out,
                                              size_t cap, size_t *len);
/* Hostile input: every count, index and length is checked. Spans point into record or to static
 * text; arrays live in the arena. GUARD_E_SYNTAX, GUARD_E_VERSION, GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc gd_record_decode(struct guard_span record, struct guard_arena *arena,
                                              struct gd_profile *out);

#endif
