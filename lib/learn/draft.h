/* SPDX-License-Identifier: Apache-2.0 */
/* The model on its way: what was folded out of the pile, in scratch memory, before it is counted
 * and written down. */
#ifndef GD_LEARN_DRAFT_H
#define GD_LEARN_DRAFT_H

#include "learn/measure.h"
#include "learn/review.h"
#include "learn/screen.h"
#include "learn/templates.h"

enum {
    GD_MODEL_ENDPOINTS_MAX = 4096,
    GD_MODEL_ANSWERS_MAX = 8192,
    GD_MODEL_FIELDS_MAX = 65536,
    GD_MODEL_PENDING_MAX = 4096, /* fields without support; they are only shown */
};

struct gd_draft_field {
    struct gd_group group;
    struct gd_draft_field *parent;
    struct gd_draft_field *next;
    struct gd_review_spot spot; /* what people call it */
    uint32_t waiver;            /* see gd_review_waive: of what lies below */
    uint32_t index;             /* in the model */
    bool trusted;
    bool cut; /* members with support were left out */
    struct gd_groups kinds[GD_KIND_COUNT];
    struct gd_exposure *whole; /* of what it is a part of */
    struct gd_place *place;    /* NULL without support */
    struct {
        uint64_t trusted;
        uint64_t count;  /* with those of the others that count */
        uint64_t single; /* of these, by one unit alone */
    } literals;
};

/* Fields of one endpoint or of the service. */
struct gd_draft_fields {
    struct gd_draft_field *first, *last;
    uint32_t count;
    bool cut;
};

/* An endpoint, or a response of it or of the service. */
struct gd_draft_endpoint {
    struct gd_group group;
    const struct gd_template *node; /* NULL for responses */
    const struct gd_draft_endpoint
        *answer_of; /* NULL for requests and for the service's responses */
    uint32_t index; /* among the endpoints */
    struct gd_draft_endpoint *next;
    bool trusted;
    struct gd_review_spot spot;
    uint32_t waiver;             /* see gd_review_waive: of what lies below */
    struct gd_suspects suspects; /* whose evidence counts nowhere here */
    struct gd_groups kinds[GD_KIND_COUNT];
    struct gd_place place;
    struct gd_draft_fields fields;
};

/* A template's own measures: unknown segments below it, unknown methods at it. */
struct gd_draft_node {
    struct gd_template *node;
    struct gd_draft_node *next;
    struct gd_place below;
    struct gd_place here;
};

struct gd_draft {
    struct gd_meter meter;         /* of requests, */
    struct gd_meter answers_meter; /* and of responses: what is usual there says nothing of those */
    bool keyed;                    /* of the source */
    struct guard_arena *arena;
    struct gd_suspects attackers; /* of the service */
    struct gd_templates templates;
    struct gd_draft_node *nodes, *last_node; /* in the order of templates */
    struct gd_draft_endpoint *endpoints, *last_endpoint;
    struct gd_draft_endpoint *answers, *last_answer;
    uint32_t endpoint_count;
    uint32_t answer_count;
    uint32_t field_count;
    uint32_t pending_count;
    uint32_t place_count;
    uint32_t unknown_count; /* of these without support */
    struct gd_group service;
    struct gd_groups service_kinds[GD_KIND_COUNT];
    struct gd_place service_place;
    struct gd_place header_place; /* the same exposure, for names of headers and cookies */
    struct gd_draft_fields service_fields;
    uint16_t mistyped_most;    /* that a value proves which no route is named by */
    uint16_t attack_like_most; /* that such a value in the path proves by what it reads like */
    uint16_t
        refused_most; /* that unknown paths and methods prove, by what the service refuses anyway */
};

static inline const struct gd_meter *gd_draft_meter(const struct gd_draft *draft,
                                                    const struct gd_place *place)
{
    return place->answer ? &draft->answers_meter : &draft->meter;
}

/* Folds and measures everything below the service. GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc gd_draft_make(struct gd_draft *draft, const struct gd_cell *service);
/* Values of a closed set, so far as counts can tell: few, often, of no free text. */
bool gd_draft_closed(const struct gd_draft_field *field, const struct gd_trust *trust);
/* Children of the kind were pushed out of a full table, so that what is missing there isn't new. */
bool gd_draft_lost(const struct gd_group *group, enum gd_kind kind);

#endif
