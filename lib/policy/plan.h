/* SPDX-License-Identifier: Apache-2.0 */
/* What the compiler of policies works with: the tree of templates from the model and the Guardian
 * together, the endpoints in it, and the sections that it fills. */
#ifndef GD_POLICY_PLAN_H
#define GD_POLICY_PLAN_H

#include "policy/format.h"
#include "policy/vector.h"

enum { GD_PLAN_NODES_MAX = 65536, GD_PLAN_SEGMENTS = 40 };

/* In the order in which they are tried. */
enum gd_segment_kind { GD_SEGMENT_LITERAL, GD_SEGMENT_TYPED, GD_SEGMENT_ANY, GD_SEGMENT_REST };

struct gd_plan_segment {
    enum gd_segment_kind kind;
    struct guard_span text;
    uint32_t types;
};

struct gd_plan_node {
    struct gd_plan_segment segment;
    uint32_t parent;
    uint32_t depth;
    uint32_t first_child, last_child, next; /* GD_POLICY_NONE ends */
    uint32_t first_endpoint, last_endpoint;
    uint32_t final; /* index in the policy */
    uint64_t exchanges;
    uint16_t strength[2];
    bool known; /* a trusted or a configured endpoint lies in or below it */
};

struct gd_plan_endpoint {
    struct guard_span method; /* "" = any */
    uint32_t node;
    uint32_t model; /* index, or GD_POLICY_NONE */
    uint32_t next;
    uint32_t final; /* index in the policy */
    int32_t mode;   /* that a rule says, or -1 */
    bool configured;
};

/* An endpoint rule of the Guardian with its template taken apart. */
struct gd_plan_rule {
    const struct guard_endpoint_rule *rule;
    struct gd_plan_segment segments[GD_PLAN_SEGMENTS];
    uint32_t segment_count;
    uint32_t weight; /* how specific the template is */
};

/* A criterion that holds for the endpoint at work. */
struct gd_plan_overlay {
    const struct guard_criterion *criterion;
    bool used;
};

/* A field before it goes into its sections. */
struct gd_plan_draft {
    struct gd_policy_field field;
    uint64_t rows[GUARD_CLASS_COUNT];
    uint64_t pending_rows[GUARD_CLASS_COUNT];
    const uint64_t *literals; /* NULL: those of the field already in the section */
};

struct gd_plan {
    const struct guard_model *model; /* NULL: none */
    const struct guard_guardian *guardian;
    bool likeness; /* is a rule */
    struct guard_err *err;
    struct gd_vector nodes;     /* struct gd_plan_node */
    struct gd_vector endpoints; /* struct gd_plan_endpoint */
    struct gd_vector rules;     /* struct gd_plan_rule, the least specific first */
    struct gd_vector order;     /* uint32_t: nodes by final index */
    struct gd_vector overlay;   /* struct gd_plan_overlay: of the endpoint at work */
    struct gd_vector
        emitted; /* uint32_t: fields of the policy by model field, of the endpoint at work */
    struct gd_vector sections[GD_SECTION_COUNT];
    struct gd_policy_range
        shared;       /* in FIELDS: headers and cookies that the owner at work refines */
    bool skip_shared; /* of the owner at work learned headers and cookies are left out */
    uint8_t literal_key[16];
};

static inline struct gd_plan_node *gd_plan_node(const struct gd_plan *plan, uint32_t index)
{
    return (struct gd_plan_node *)(void *)plan->nodes.ptr + index;
}

static inline struct gd_plan_endpoint *gd_plan_endpoint(const struct gd_plan *plan, uint32_t index)
{
    return (struct gd_plan_endpoint *)(void *)plan->endpoints.ptr + index;
}

static inline const struct gd_plan_rule *gd_plan_rule(const struct gd_plan *plan, uint32_t index)
{
    return (const struct gd_plan_rule *)(const void *)plan->rules.ptr + index;
}

static inline struct gd_policy_field *gd_plan_field(const struct gd_plan *plan, uint32_t index)
{
    return (struct gd_policy_field *)(void *)plan->sections[GD_SECTION_FIELDS].ptr + index;
}

static inline uint32_t gd_saturate(uint64_t value)
{
    return value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
}

/* The functions below return GUARD_E_NOMEM, GUARD_E_LIMIT and, for what makes no sense,
 * GUARD_E_RANGE with the reason in plan->err. */

/* rule.c: the Guardian's endpoint rules. */
GUARD_MUST_USE enum guard_rc gd_plan_rules(struct gd_plan *plan);
bool gd_rule_has_method(const struct guard_endpoint_rule *rule, struct guard_span method);
/* The rule's template stands for the node's (for a more special one, too). */
bool gd_rule_covers(const struct gd_plan *plan, const struct gd_plan_rule *rule, uint32_t node);
/* The most specific rules for the node list methods, and this isn't among them. An empty method is
 * in no list. */
bool gd_rules_forbid(const struct gd_plan *plan, uint32_t node, struct guard_span method);

/* tree.c: nodes and endpoints of model and Guardian, in their final order. */
GUARD_MUST_USE enum guard_rc gd_plan_tree(struct gd_plan *plan);

/* endpoint.c: fills NODES, ENDPOINTS, FIELDS, MEDIA, and what belongs to them. */
GUARD_MUST_USE enum guard_rc gd_plan_emit(struct gd_plan *plan);

/* Media types into MEDIA. */
GUARD_MUST_USE enum guard_rc gd_plan_media(struct gd_plan *plan, struct gd_policy_range *range,
                                           const struct guard_span *types, uint32_t count);
/* Statuses that a person allows, into STATUSES. rule may be NULL: none are said. */
GUARD_MUST_USE enum guard_rc gd_plan_statuses(struct gd_plan *plan, struct gd_policy_range *range,
                                              const struct guard_response_rule *rule);
/* Criteria whose locations are in the mask, into plan->overlay: later ones replace earlier ones of
 * the same name. */
GUARD_MUST_USE enum guard_rc gd_overlay_add(struct gd_plan *plan,
                                            const struct guard_criterion *criteria, uint32_t count,
                                            uint32_t locations);
/* Objects before what is in them. */
void gd_overlay_sort(struct gd_plan *plan);
/* Some are about headers or cookies. */
bool gd_overlay_has_headers(const struct gd_plan *plan);

/* answers.c: responses behind the endpoints, as they were learned and as a person wants them, and
 * the links to them. */
GUARD_MUST_USE enum guard_rc gd_plan_answers(struct gd_plan *plan, struct gd_policy_header *header);

/* What a person says of responses of one class of status. */
struct gd_plan_said {
    const struct guard_response_rule *media; /* NULL: nothing of media types */
    int64_t body_max;                        /* -1: nothing */
    bool closed;
    uint32_t leaks_allowed;
    uint32_t leaks_forbidden;
};

enum {
    GD_LOCATIONS_SHARED = 1u << GUARD_LOCATION_HEADER | 1u << GUARD_LOCATION_COOKIE,
    GD_LOCATIONS_MESSAGES = 1u << GUARD_LOCATION_WEBSOCKET,
    GD_LOCATIONS_ANSWER = GD_LOCATIONS_SHARED | 1u << GUARD_LOCATION_JSON |
                          1u << GUARD_LOCATION_BODY | 1u << GUARD_LOCATION_PROTOBUF |
                          GD_LOCATIONS_MESSAGES,
};

/* answer_rule.c: what is said of responses of a class of status. Criteria go into plan->overlay. */
GUARD_MUST_USE enum guard_rc gd_plan_answer_rules_check(const struct gd_plan *plan);
/* Someone says something of this endpoint's responses. */
bool gd_answer_is_said(const struct gd_plan *plan, const struct gd_plan_endpoint *endpoint);
/* Of the service's, those criteria whose locations are in the mask. */
GUARD_MUST_USE enum guard_rc gd_answer_said_service(struct gd_plan *plan, uint32_t cls,
                                                    uint32_t locations, struct gd_plan_said *out);
/* Of an endpoint's: the service's without headers and cookies, then those of its rules. */
GUARD_MUST_USE enum guard_rc gd_answer_said_endpoint(struct gd_plan *plan,
                                                     const struct gd_plan_endpoint *endpoint,
                                                     uint32_t cls, struct gd_plan_said *out);

/* field.c: fields of one owner. node: the endpoint's, GD_POLICY_NONE for the service; learned
 * fields are model->fields[first, first + count); criteria are those in plan->overlay. */
GUARD_MUST_USE enum guard_rc gd_plan_fields(struct gd_plan *plan, uint32_t owner, uint32_t node,
                                            uint32_t first, uint32_t count);

/* criterion.c: what a person wrote replaces what was learned. */
GUARD_MUST_USE enum guard_rc gd_criterion_apply(struct gd_plan *plan, struct gd_plan_draft *draft,
                                                const struct guard_criterion *criterion);

/* Stands for what a person says of media types, where the header's values are concerned: they are
 * as the types' list wants them, however they looked before. */
extern const struct guard_criterion gd_content_type_said;

/* names.c: the table of names; gives the seed. */
GUARD_MUST_USE enum guard_rc gd_plan_names(struct gd_plan *plan, uint64_t *seed);
/* required.c: the lists of fields that must be there; gives that of the service. */
GUARD_MUST_USE enum guard_rc gd_plan_required(struct gd_plan *plan,
                                              struct gd_policy_range *service);

/* patches.c: those of the Guardian that aren't off. */
GUARD_MUST_USE enum guard_rc gd_plan_patches(struct gd_plan *plan, struct gd_policy_header *header);

/* exceptions.c: those of the Guardian. */
GUARD_MUST_USE enum guard_rc gd_plan_exceptions(struct gd_plan *plan);

/* Text into STRINGS. A failure is sticky in the vector. */
struct gd_policy_text gd_plan_text(struct gd_plan *plan, struct guard_span text);
void gd_sort_u64(uint64_t *items, size_t count);

#endif
