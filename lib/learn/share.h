/* SPDX-License-Identifier: Apache-2.0 */
/* Who fills a table. An overflowed table disarms rules, for what is missing in it needn't be new;
 * so it takes D clients to overflow one: fewer give their places back before it counts as full. */
#ifndef GD_LEARN_SHARE_H
#define GD_LEARN_SHARE_H

#include "learn/tree.h"

/* A cell is held by few when fewer than D clients vouch for it and no weak unit. The client holds
 * its share of the table so, an eighth, or more. */
bool gd_share_exceeded(const struct gd_cell *parent, enum gd_kind kind, uint32_t tag);
/* Room in a full table for a new cell of the unit `tag`, by taking a cell out of the largest share
 * that is exceeded. False when there is none to take, or D clients have theirs: the table overflows
 * then. False with *refused when the new cell is itself beyond its client's share. Scopes that the
 * record `stamp` works in stay. */
bool gd_share_room(struct gd_tree *tree, struct gd_cell *parent, enum gd_kind kind, uint32_t tag,
                   uint32_t stamp, bool *refused);

#endif
