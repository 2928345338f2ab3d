/* SPDX-License-Identifier: Apache-2.0 */
/* The features of one exchange in memory: what the view fills, what the decision reads, what the
 * record writes and the learner reads back. */
#ifndef GD_PROFILE_PROFILE_H
#define GD_PROFILE_PROFILE_H

#include "profile/summary.h"

#include <guard/txn.h>

enum {
    GD_FIELDS_MAX = 4096,
    GD_NAME_MAX =
        64, /* longer names are kept as their first 48 bytes, '~' and 15 hex digits of their hash */
    GD_SEGMENTS_MAX = 32, /* path segments seen one by one; the rest is one segment */
    GD_NO_FIELD = 0xffffffff,
};

/* Locations whose fields form trees through their parents. */
enum {
    GD_LOCATION_TREES = 1u << GUARD_LOCATION_JSON | 1u << GUARD_LOCATION_GRAPHQL |
                        1u << GUARD_LOCATION_PROTOBUF | 1u << GUARD_LOCATION_WEBSOCKET,
    /* Locations of named values at all. */
    GD_LOCATION_FIELDS = ((1u << GUARD_LOCATION_COUNT) - 1) &
                         ~(1u << GUARD_LOCATION_NONE | 1u << GUARD_LOCATION_CLIENT),
};

static inline bool gd_location_in(uint32_t locations, uint32_t location)
{
    return location < GUARD_LOCATION_COUNT && (locations >> location & 1) != 0;
}

/* In the path of a field, does a dot stand before its name? "items[].id", "query.user(id)" */
static inline bool gd_name_has_dot(enum guard_location location, struct guard_span name)
{
    if (location == GUARD_LOCATION_GRAPHQL && name.len > 0 && name.ptr[0] == '(')
        return false;
    return !gd_span_equal(name, GUARD_SPAN_LITERAL("[]"));
}

/* One name at one place. JSON fields form a tree through parent (an index into fields, GD_NO_FIELD
 * for members of the document); an array's elements share the child named "[]"; the document
 * itself, when it is a scalar or array or to hold its items, is the field named "" with parent
 * GD_NO_FIELD, and then its members' parent is still GD_NO_FIELD. PATH fields are named "seg0"..
 * and stand in order; their text is in profile.segments. A header name is lower case. MULTIPART
 * file parts have three fields: NAME (contents), "NAME.filename", "NAME.type". A TEXT or BYTES body
 * is the field "" at GUARD_LOCATION_BODY; of EVENTS the lines are there by their names. Protocol
 * buffers are trees of field numbers, the message being "". GRAPHQL trees begin with "query",
 * "mutation", "subscription" and "fragment TYPE"; below are fields, "(ARGUMENT)", "@DIRECTIVE",
 * "$VARIABLE", "on TYPE" and "...". WEBSOCKET: JSON messages as trees, other texts "", "(binary)",
 * "(ping)",
 * "(pong)", "(close)" and its "(reason)". Every cookie is a field; the Cookie header itself is
 * none. */
struct gd_field {
    enum guard_location location;
    uint32_t parent;
    struct guard_span name;
    struct gd_summary summary;
    struct guard_span sample; /* head of the last deviating or first value, <= 48 bytes, for
                                 masking; not recorded */
};

struct gd_segment {
    struct guard_span
        text; /* decoded, <= GD_NAME_MAX; replaced by "{int}", "{uuid}", "{hex}", "{date}",
               * "{email}", "{token}" (secret-like) when its type says so: ids never become names */
    bool typed;
};

struct gd_profile {
    struct guard_span service;
    struct guard_span method; /* <= 16 bytes */
    uint32_t version;
    uint64_t time_ms;
    struct guard_client client;
    uint32_t status;
    uint32_t latency_us;
    uint32_t body_bytes; /* decoded from transfer coding, and from content coding by the host */
    bool outbound;       /* a call that the service makes; its destination is the first segment */
    bool answer;         /* this is a response: no path, no client, its decision is the request's */
    uint32_t leaks;      /* of a response: bit per enum guard_leak */
    struct gd_profile *response;           /* of a request: NULL when it wasn't viewed */
    struct guard_memo *memo;               /* of headers, or NULL */
    enum guard_body_kind body_kind;        /* as far as it is read: NONE until that is known */
    struct guard_span media_type;          /* "" when there is none */
    uint32_t depth;                        /* of JSON */
    uint64_t faults[GUARD_LOCATION_COUNT]; /* bit per enum guard_fault, by location */
    enum guard_decision decision;
    bool novel;    /* see guard/verdict.h */
    bool excepted; /* an exception kept it from being blocked: teaches as what is blocked does */
    uint32_t novel_count;
    uint64_t novel_elements[GUARD_NOVEL_MAX];
    struct guard_span revision; /* <= GUARD_REVISION_MAX bytes; empty: undeclared */
    uint32_t segment_count;
    struct gd_segment *segments; /* GD_SEGMENTS_MAX */
    uint32_t field_count;
    uint32_t field_cap;
    struct gd_field *fields;   /* parents come before children */
    bool unseen;               /* bodies and most headers weren't recorded */
    bool likeness;             /* a field has one */
    uint32_t likeness_without; /* classes that nobody looked for: bit per enum guard_likeness */
    bool cut; /* not all features are here (GUARD_FAULT_RECORD, GUARD_FAULT_MEMORY) */
};

/* Has it any fault? Read without branches: of nearly all messages the answer is no. */
static inline bool gd_profile_is_faulty(const struct gd_profile *profile)
{
    uint64_t all = 0;
    for (uint32_t i = 0; i < GUARD_LOCATION_COUNT; i++)
        all |= profile->faults[i];
    return all != 0;
}

/* Requests that nobody trains and no learned rule blocks: declared ones, OPTIONS, ACME challenges.
 */
bool gd_profile_exempt(const struct gd_profile *profile);
/* Of these, OPTIONS: its target holds the values of another method's, which can be judged. */
bool gd_profile_values_only(const struct gd_profile *profile);

#endif
