/* SPDX-License-Identifier: Apache-2.0 */
/* Touching cells: what one record does to the tree. Each cell that it meets counts it once; those
 * that are new are made as far as the caps of tables and clients allow. */
#ifndef GD_LEARN_TOUCH_H
#define GD_LEARN_TOUCH_H

#include "learn/pile_state.h"

#include "profile/summary.h"

struct gd_touch {
    struct guard_pile *pile;
    uint32_t tag;
    uint32_t epoch; /* index */
    uint32_t epoch_bit;
    uint32_t stamp;
    uint32_t time_s; /* of the record, as cells keep it; 0: it has none */
    uint32_t count;  /* 1, or 0 for what a loud unit sends beyond its share */
    struct gd_ledger_entry *unit;
    bool anonymous;
    bool nomem;
};

/* The cell of a counted kind, by itself: the root. */
void gd_touch_cell(const struct gd_touch *touch, struct gd_cell *cell);
/* A child by its number; nothing when it was refused. */
void gd_touch_number(struct gd_touch *touch, struct gd_cell *parent, enum gd_kind kind,
                     uint64_t code);
/* The same of a kind that has children: NULL when it was refused, or memory is missing. */
struct gd_cell *gd_touch_numbered(struct gd_touch *touch, struct gd_cell *parent, enum gd_kind kind,
                                  uint64_t code);
/* A child by its text; NULL as above. */
struct gd_cell *gd_touch_name(struct gd_touch *touch, struct gd_cell *parent, enum gd_kind kind,
                              uint8_t location, struct guard_span text);
/* A child for each bit: code = base + its index. */
void gd_touch_bits(struct gd_touch *touch, struct gd_cell *parent, enum gd_kind kind, uint64_t bits,
                   uint64_t base);
/* The features of a value, below its NAME. */
void gd_touch_summary(struct gd_touch *touch, struct gd_cell *cell,
                      const struct gd_summary *summary);

#endif
