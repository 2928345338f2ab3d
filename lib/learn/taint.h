/* SPDX-License-Identifier: Apache-2.0 */
/* Whose evidence is withheld, and how far. A unit that attacks one field of an endpoint isn't
 * believed in its other fields there either, nor in what it was answered: an attack on a field in
 * which people write text, or one that reads like nothing, has that as its only sign. What reads
 * like an attack, or is malformed, isn't taken anywhere from a unit that attacked at several
 * places. */
#ifndef GD_LEARN_TAINT_H
#define GD_LEARN_TAINT_H

#include "learn/draft.h"
#include "learn/screen.h"

/* Of the values at a name, with those of its endpoint (NULL: nobody). Nobody at a field that only
 * suspects and people vouch for. *out refers to `endpoint` and to the arena. GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc gd_taint_name(struct gd_suspects *out, const struct gd_draft *draft,
                                           const struct gd_group *name,
                                           const struct gd_review_spot *spot,
                                           const struct gd_suspects *endpoint);
/* Of all fields of an endpoint together; nobody where they are more than an eighth of its units.
 * After its groups were folded, before anything of them is measured. GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc gd_taint_endpoint(struct gd_suspects *out,
                                               const struct gd_draft *draft,
                                               const struct gd_draft_endpoint *endpoint);

/* Of the whole service, into draft->attackers; nobody where they are more than an eighth of its
 * units. Only who is known to be one is. After gd_taint_endpoint of all endpoints. GUARD_E_NOMEM.
 */
GUARD_MUST_USE enum guard_rc gd_taint_service(struct gd_draft *draft);

#endif
