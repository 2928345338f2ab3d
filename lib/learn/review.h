/* SPDX-License-Identifier: Apache-2.0 */
/* Decisions of people on their way into the model: folded groups are marked before anything is
 * counted, so that trust, measures and the model follow from the marks alone. What waits for a
 * decision is listed on the way. */
#ifndef GD_LEARN_REVIEW_H
#define GD_LEARN_REVIEW_H

#include "learn/screen.h"
#include "learn/trust.h"

#include <guard/review.h>

/* Bits of gd_cell.review, of groups' sums only. */
enum {
    GD_REVIEW_ACCEPTED = 1,
    GD_REVIEW_REFUSED = 2, /* outweighs the others */
    GD_REVIEW_WAIVED = 4,  /* came with what was accepted: D units suffice, in one epoch */
};

/* Where elements are: the members of an element that its kind doesn't say. */
struct gd_review_spot {
    uint32_t status;
    struct guard_span method;
    struct guard_span template_text;
    enum guard_location location; /* NONE: no field */
    struct guard_span name;
    bool silent; /* its name is too long to be decided about */
};

struct gd_review_item {
    struct guard_review_pending pending; /* its spans are those of the pile */
    struct gd_review_item *next;
};

struct gd_review {
    struct guard_arena *arena;
    struct gd_review_index *index; /* of the decisions, sorted by the place that they are about */
    uint32_t count;
    struct gd_review_item *first, *last;
    uint32_t listed;
    uint32_t total; /* with those that there was no room for */
};

/* said: may be NULL. GUARD_E_LIMIT, GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc gd_review_init(struct gd_review *review,
                                            const struct guard_review *said,
                                            struct guard_arena *arena);

/* The decisions about a place, one after the other from *at = 0 on; NULL at the end. */
const struct guard_review_entry *gd_review_next(const struct gd_review *review,
                                                const struct gd_review_spot *spot, uint32_t *at);

/* Marks groups of the kind with what was decided about them; of NAME see below. */
void gd_review_mark(const struct gd_review *review, const struct gd_review_spot *spot,
                    enum guard_review_kind kind, struct gd_groups *groups);
/* Marks those that began in one of the epochs (bit per epoch; 0: none). */
void gd_review_waive(struct gd_groups *groups, uint32_t epochs);
/* The epochs in which what came with an accepted element began; 0 when it isn't accepted. */
uint32_t gd_review_waiver(const struct gd_trust *trust, const struct gd_cell *sum);

/* Lists groups that D units vouch for without being trusted, and those that are decided about.
 * likeness: what reads so at that place; what stands below a group is added to it. suspects: who
 * will be left out of their support; NULL: nobody. GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc gd_review_list(const struct gd_trust *trust,
                                            const struct gd_review_spot *spot,
                                            enum guard_review_kind kind,
                                            const struct gd_groups *groups, uint32_t likeness,
                                            const struct gd_suspects *suspects);

/* Fields below a place (of a message, then location and name are none; of a field): marks and
 * waives them. GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc gd_review_names(const struct gd_trust *trust,
                                             const struct gd_review_spot *parent,
                                             struct gd_groups *names, uint32_t waiver);
/* The spot of a field whose parent's is given. GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc gd_review_field_spot(struct gd_review_spot *out,
                                                  const struct gd_review *review,
                                                  const struct gd_review_spot *parent,
                                                  const struct gd_cell *name);
/* Values of a field, with all who saw them: marks, waives and lists them. kinds: by enum gd_kind.
 * GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc gd_review_values(const struct gd_trust *trust,
                                              const struct gd_review_spot *spot,
                                              struct gd_groups *kinds, uint32_t waiver,
                                              const struct gd_suspects *suspects);
/* Leaves those that aren't accepted. */
void gd_review_drop_accepted(struct gd_groups *groups);

#endif
