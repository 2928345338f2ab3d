/* SPDX-License-Identifier: Apache-2.0 */
/* Digest and signature of a policy. The signature covers service, generation and digest, so that
 * none of them can be exchanged. */
#ifndef GD_POLICY_SEAL_H
#define GD_POLICY_SEAL_H

#include "base/span.h"

#include <guard/crypto.h>

/* Writes the trailer of a complete policy; with a secret key also who signed it, into its header.
 */
void gd_policy_seal(uint8_t *bytes, size_t len, struct guard_span service, const uint8_t *secret);
/* The digest in the trailer is checked by the caller. GUARD_E_SIGNATURE. */
GUARD_MUST_USE enum guard_rc gd_policy_seal_verify(struct guard_span bytes,
                                                   struct guard_span service,
                                                   const uint8_t *public_key);

#endif
