/* SPDX-License-Identifier: Apache-2.0 */
/* The scanner's state, shared by the machine that can stop at any byte (json.c) and the runs
 * through plain members and elements that are most of every document (json_run.h). */
#ifndef GD_HTTP_JSON_MACHINE_H
#define GD_HTTP_JSON_MACHINE_H

#include "http/json.h"
#include "http/json_text.h"

enum gd_json_state {
    GD_JSON_AT_START, /* before the first byte; a byte order mark may come */
    GD_JSON_AT_MARK,  /* inside a byte order mark */
    GD_JSON_AT_VALUE,
    GD_JSON_AT_FIRST_ELEMENT, /* a value or ']' */
    GD_JSON_AT_FIRST_KEY,     /* a key or '}' */
    GD_JSON_AT_KEY,
    GD_JSON_AT_COLON,
    GD_JSON_AT_AFTER,  /* behind a value */
    GD_JSON_AT_STRING, /* inside a string that a chunk border or an escape interrupted */
    GD_JSON_AT_TOKEN,  /* inside a number or literal that a chunk border interrupted */
    GD_JSON_AT_DEEP,   /* inside what is nested too deep: only brackets are counted */
    GD_JSON_AT_DEAD,
};

struct gd_json_frame {
    uint32_t node;
    uint32_t child; /* node of the elements */
    uint32_t items;
    uint32_t stamp; /* of this object instance; 0 for arrays */
};

/* Nodes from 2^14 on aren't checked for duplicate keys; handlers number far fewer. */
enum {
    GD_JSON_PAGE_BITS = 7,
    GD_JSON_PAGE_SIZE = 1 << GD_JSON_PAGE_BITS,
    GD_JSON_PAGE_COUNT = 1 << (14 - GD_JSON_PAGE_BITS)
};

struct gd_json {
    struct gd_json_handler handler;
    struct guard_arena *arena;
    struct gd_json_frame *frames;
    struct gd_json_frame *frame; /* the innermost container, or NULL */
    uint32_t depth;
    uint32_t depth_limit;
    uint32_t leaves_left;
    uint32_t containers;
    uint32_t container_limit;
    uint32_t node; /* of the value that comes next */
    uint32_t over; /* brackets open in GD_JSON_AT_DEEP, below the one that was too deep */
    uint8_t state;
    uint8_t mark;        /* bytes of the byte order mark seen */
    bool text_is_key;    /* in GD_JSON_AT_STRING */
    bool deep_string;    /* in GD_JSON_AT_DEEP: inside a string, */
    bool deep_backslash; /* and behind a backslash */
    uint64_t seen;       /* faults reported */
    size_t value_limit;
    const uint8_t *place; /* where a run has ended */
    struct gd_json_text text;
    uint32_t
        *pages[GD_JSON_PAGE_COUNT]; /* stamp of the last object that had this node as a member */
};

/* What a byte is outside of strings. */
enum { GD_JSON_BLANK = 1, GD_JSON_TOKEN = 2, GD_JSON_DIGIT = 4 };
extern const uint8_t gd_json_classes[256];

/* Marks the node as a member of this object instance. A second time is JSON_DUPLICATE. False: the
 * arena is full and the reading ends. */
bool gd_json_stamp_slow(struct gd_json *json, uint32_t node, uint32_t instance);

static inline bool gd_json_stamp(struct gd_json *json, uint32_t node, uint32_t instance)
{
    if (__builtin_expect(node >= GD_JSON_PAGE_COUNT * GD_JSON_PAGE_SIZE, 0))
        return true;
    uint32_t *page = json->pages[node >> GD_JSON_PAGE_BITS];
    if (__builtin_expect(page == NULL, 0))
        return gd_json_stamp_slow(json, node, instance);
    uint32_t *last = page + (node & (GD_JSON_PAGE_SIZE - 1));
    if (__builtin_expect(*last == instance, 0))
        return gd_json_stamp_slow(json, node, instance);
    *last = instance;
    return true;
}

const uint8_t *gd_json_skip_blanks_slow(const uint8_t *at, const uint8_t *end);

static inline const uint8_t *gd_json_skip_blanks(const uint8_t *at, const uint8_t *end)
{
    return at < end && *at <= ' ' ? gd_json_skip_blanks_slow(at, end) : at;
}

/* The container that begins here is too much: a fault, and the state that follows from it. */
void gd_json_refuse(struct gd_json *json);

/* A frame for the container that begins here, and state FIRST_KEY or FIRST_ELEMENT; NULL when it is
 * too much. The handler is to be told. */
static inline struct gd_json_frame *gd_json_push(struct gd_json *json, bool is_array)
{
    if (__builtin_expect(
            json->depth >= json->depth_limit || json->containers >= json->container_limit, 0)) {
        gd_json_refuse(json);
        return NULL;
    }
    json->containers++;
    if (json->depth > 0)
        json->frame->items++;
    struct gd_json_frame *frame = &json->frames[json->depth++];
    json->frame = frame;
    *frame = (struct gd_json_frame){.node = json->node, .stamp = is_array ? 0 : json->containers};
    json->state = is_array ? GD_JSON_AT_FIRST_ELEMENT : GD_JSON_AT_FIRST_KEY;
    return frame;
}

/* The innermost container ends; state AFTER. Returns its frame: the handler is to be told. */
static inline const struct gd_json_frame *gd_json_pop(struct gd_json *json)
{
    const struct gd_json_frame *frame = json->frame;
    json->depth--;
    json->frame = json->depth > 0 ? json->frame - 1 : NULL;
    json->state = GD_JSON_AT_AFTER;
    return frame;
}

/* The runs of receivers that have none of their own. */
const uint8_t *gd_json_any_members(struct gd_json *json, const uint8_t *at, const uint8_t *end);
const uint8_t *gd_json_any_elements(struct gd_json *json, const uint8_t *at, const uint8_t *end);

#endif
