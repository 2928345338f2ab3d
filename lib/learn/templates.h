/* SPDX-License-Identifier: Apache-2.0 */
/* Path templates: the trie of segments that were seen, folded so that identifiers become wildcards.
 * Derived from counts each time; nothing of it is stored in a pile. */
#ifndef GD_LEARN_TEMPLATES_H
#define GD_LEARN_TEMPLATES_H

#include "learn/trust.h"

enum { GD_TEMPLATES_MAX = 4096 };

struct gd_template {
    struct gd_group group; /* the segments that it stands for; of the root the service */
    struct gd_template *parent;
    struct gd_template *next; /* in order: parents first, siblings by text, their wildcard last */
    uint32_t index;
    uint32_t depth; /* 0: the root */
    struct guard_span text;
    bool wildcard;
    uint32_t types;           /* as guard_model_node */
    struct gd_groups methods; /* sorted by text */
    struct gd_groups pending; /* children without support, in no template */
    struct gd_groups known;   /* literal children with support */
    struct gd_group *joined;  /* what the wildcard child stands for, NULL without one */
    uint32_t joined_types;    /* the types of that child; 0 = any */
    bool open;                /* the wildcard child takes any segment */
    bool cut;                 /* children with support were left out of a full table */
    uint32_t waiver;          /* see gd_review_waive: of what lies below */
};

struct gd_templates {
    struct gd_template *root;
    uint32_t count;
};

/* Everything lives in the arena. GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc gd_templates_fold(struct gd_templates *out,
                                               const struct gd_cell *service,
                                               const struct gd_trust *trust,
                                               struct guard_arena *arena);
/* "/users/{}"; "" of the root. GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc
gd_template_text(struct guard_span *out, const struct gd_template *node, struct guard_arena *arena);
/* The bit of enum guard_type that a typed segment's text ("{int}") stands for, 0 for literals. */
uint32_t gd_segment_types(struct guard_span text);
/* The METHOD cells in and below the template. GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc gd_template_traffic(struct gd_group *out,
                                                 const struct gd_template *node,
                                                 struct guard_arena *arena);

#endif
