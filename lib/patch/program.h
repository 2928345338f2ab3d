/* SPDX-License-Identifier: Apache-2.0 */
/* Patches in their compiled form: arrays of fixed-width structures without pointers, as sections of
 * a policy hold them. What is here was checked before it is run. */
#ifndef GD_PATCH_PROGRAM_H
#define GD_PATCH_PROGRAM_H

#include "base/span.h"

#include <guard/patch.h>

enum {
    GD_PATCH_PATTERNS_MAX = 1 << 17,
    GD_PATCH_LEAVES_DEFAULT = GUARD_PLACE_ALL, /* places 0 of a document */
};

struct gd_patch_text {
    uint32_t offset; /* in the strings */
    uint32_t len;
};

struct gd_patch_range {
    uint32_t first;
    uint32_t count;
};

enum gd_patch_entry_flag {
    GD_PATCH_MANDATORY = 1,
    GD_PATCH_ALWAYS = 2,
    GD_PATCH_BY_NAME = 4, /* a sign of it may be in names of values alone */
};

struct gd_patch_entry {
    struct gd_patch_text id;
    struct gd_patch_text title;
    struct gd_patch_text fixed_in;
    struct gd_patch_range endpoints; /* in the texts, as the next two */
    struct gd_patch_range methods;
    struct gd_patch_range media;
    struct gd_patch_range nodes; /* the first is the root */
    uint64_t expires_ms;
    uint32_t places; /* that its conditions look at */
    uint8_t part;
    uint8_t mode;
    uint8_t action;
    uint8_t flags;
};

enum gd_patch_node_flag {
    GD_PATCH_ON_NAMES = 1,
    GD_PATCH_IGNORE_CASE = 2,
    GD_PATCH_BODY_UNREAD = 4, /* the body counts only where it was read as nothing else */
};

/* A condition; those below it follow it at once. */
struct gd_patch_node {
    uint32_t size; /* nodes from here on that belong to it, itself too */
    uint32_t places;
    struct gd_patch_range names; /* in the texts */
    struct gd_patch_range texts;
    uint32_t types;
    uint32_t likeness;
    int64_t min;
    int64_t max;
    uint64_t pattern; /* of REGEX: its id */
    uint8_t op;
    uint8_t view;
    uint8_t flags;
    uint8_t reserved[5];
};

enum gd_patch_pattern_flag { GD_PATTERN_REGEX = 1, GD_PATTERN_IGNORE_CASE = 2 };

/* Sorted by id. */
struct gd_patch_pattern {
    uint64_t id;
    struct gd_patch_text text;
    struct gd_patch_range patches; /* in the covers: those that it may be a sign of */
    uint32_t flags;
    uint32_t reserved;
};

_Static_assert(sizeof(struct gd_patch_entry) == 72, "layout");
_Static_assert(sizeof(struct gd_patch_node) == 64, "layout");
_Static_assert(sizeof(struct gd_patch_pattern) == 32, "layout");

/* All of a service. */
struct gd_patch_set {
    const struct gd_patch_entry *entries;
    const struct gd_patch_node *nodes;
    const struct gd_patch_text *texts;
    const struct gd_patch_pattern *patterns;
    const uint32_t *covers;
    const uint8_t *strings;
    uint32_t entry_count;
    uint32_t pattern_count;
    struct gd_patch_range always; /* in the covers: patches that no pattern is a sign of */
    uint32_t places[2];           /* that requests and responses are asked for */
    uint32_t bodies; /* bit per part: the whole body is asked for, however it is read */
    uint32_t views;  /* bit per enum guard_patch_view */
    bool numbers;    /* a pattern may be found in a number of a JSON document */
};

static inline struct guard_span gd_patch_span(const struct gd_patch_set *set,
                                              struct gd_patch_text text)
{
    return gd_span(set->strings + text.offset, text.len);
}

/* Of a node with no places said: all of the part. */
static inline uint32_t gd_patch_places_of(enum guard_patch_part part)
{
    const uint32_t requests = GUARD_PLACE_METHOD | GUARD_PLACE_PATH | GUARD_PLACE_TARGET |
                              GUARD_PLACE_QUERY | GUARD_PLACE_GRAPHQL;
    return part == GUARD_PATCH_RESPONSE ? (uint32_t)GUARD_PLACE_ALL & ~requests
                                        : (uint32_t)GUARD_PLACE_ALL & ~(uint32_t)GUARD_PLACE_STATUS;
}

#endif
