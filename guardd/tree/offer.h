/* SPDX-License-Identifier: Apache-2.0 */
/* A text that a parent offers by a number, beside policies: it is fetched by a request of its own,
 * which another root behind the same address may answer, one that doesn't have it yet. What came is
 * believed, not what was offered: less is asked for again, later and later. */
#ifndef GUARDD_TREE_OFFER_H
#define GUARDD_TREE_OFFER_H

#include <stdbool.h>
#include <stdint.h>

struct offer {
    uint64_t newest; /* as the parent said last */
    uint64_t asked;  /* what is on its way */
    uint64_t again_ms;
    uint32_t short_of_it; /* times in a row that less came */
    bool wanted;
    bool fetching;
    bool told; /* people were, of this row */
};

/* have: the number of the text in place, here and below. */
void offer_said(struct offer *offer, uint64_t number, uint64_t have);
bool offer_is_due(const struct offer *offer, uint64_t now_ms);
/* It is on its way, or came short of what was offered: who asks what is offered would hear the same
 * at once. */
bool offer_rests(const struct offer *offer, uint64_t now_ms);
void offer_asked(struct offer *offer);
/* The answer is there. retry_after_s: as the parent said, 0 otherwise. */
void offer_came(struct offer *offer, uint64_t have, uint64_t now_ms, uint32_t retry_after_s);
/* After offer_came: whether people are told now, once in a row. Roots that differ for a moment are
 * nothing to be told of, unlike a text that can't be believed (refused). */
bool offer_is_told(struct offer *offer, bool refused);

#endif
