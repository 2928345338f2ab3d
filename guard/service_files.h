/* SPDX-License-Identifier: Apache-2.0 */
/* Piles, Guardians and models as files: what learn, check, show and diff share. Failures are said
 * on standard error. */
#ifndef GUARD_CLI_SERVICE_FILES_H
#define GUARD_CLI_SERVICE_FILES_H

#include <guard/guardian.h>
#include <guard/model.h>
#include <guard/policy.h>

enum { PILE_BYTES_MAX = 64 << 20 };

/* The service's secret: 64 hexadecimal digits in a file, or, without one, derived from its name
 * (then anybody can recompute tags: for laboratories and for traffic that isn't secret). */
bool service_key(const char *key_path, struct guard_span service, uint8_t out[GUARD_KEY_BYTES]);
/* NULL after a message. cfg: see guard_pile_decode. digest (may be NULL) is that of the bytes. */
struct guard_pile *pile_open(const char *path, const struct guard_pile_cfg *cfg,
                             uint8_t digest[GUARD_DIGEST_BYTES]);
bool pile_save(struct guard_pile *pile, const char *path, uint8_t digest[GUARD_DIGEST_BYTES]);
/* The pile of a Guardian: the one at pile_path, or, when that is NULL, the *.pile beside the
 * Guardian whose digest it names. NULL after a message. */
struct guard_pile *guardian_pile(const struct guard_guardian *guardian, const char *guardian_path,
                                 const char *pile_path);
/* NULL after a message. */
struct guard_model *pile_model(struct guard_pile *pile, uint32_t support);
/* With what people decided; review may be NULL. */
struct guard_model *pile_model_reviewed(struct guard_pile *pile, uint32_t support,
                                        const struct guard_review *review);
/* With what the review document at the path says; NULL: none. It must be of that service. */
struct guard_model *pile_model_by(struct guard_pile *pile, uint32_t support, const char *review);

#endif
