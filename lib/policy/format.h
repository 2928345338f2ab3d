/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of a policy (docs/internals/policy.md): fixed-width little-endian structures in
 * sections, every range an index into a section. A policy is validated once (check.c); after that
 * what is here is read without further checks. */
#ifndef GD_POLICY_FORMAT_H
#define GD_POLICY_FORMAT_H

#include "patch/program.h"

#include <guard/policy.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "policies are little-endian: this host would have to swap a private copy before it opens it"
#endif

enum {
    GD_POLICY_VERSION = 9,
    GD_POLICY_NONE = 0xffffffff,
    GD_POLICY_PROBES = 8, /* slots that a lookup may look at */
    GD_POLICY_NAME_MAX = 64,
    GD_POLICY_WILDCARDS = 32,  /* wildcard children of one node */
    GD_POLICY_ANSWERS = 5,     /* classes of status: 1xx to 5xx */
    GD_POLICY_DEPTH = 64,      /* nodes from the root to any other */
    GD_POLICY_LITERALS = 4096, /* values of one closed set */
    GD_POLICY_CERTAIN = 9999,  /* the strength of a rule that a person wrote */
    GD_POLICY_TRAILER = GUARD_DIGEST_BYTES + GUARD_SIGNATURE_BYTES,
};

enum gd_policy_section {
    GD_SECTION_NODES = 0,
    GD_SECTION_ENDPOINTS = 1,
    GD_SECTION_FIELDS = 2,
    GD_SECTION_ROWS = 3,               /* uint64_t: transitions from one class, bit per class */
    GD_SECTION_SLOTS = 4,              /* the table of names; a power of two */
    GD_SECTION_REQUIRED = 5,           /* uint32_t: fields that must be there, by owner */
    GD_SECTION_MEDIA = 6,              /* struct gd_policy_text */
    GD_SECTION_LITERALS = 7,           /* uint64_t: keyed hashes, sorted per field */
    GD_SECTION_CLIENTS = 8,            /* uint32_t: keyed hashes of client prefixes, sorted */
    GD_SECTION_STRINGS = 9,            /* bytes */
    GD_SECTION_STATUSES = 10,          /* struct guard_status_range: what a person allows */
    GD_SECTION_PATCHES = 11,           /* struct gd_patch_entry */
    GD_SECTION_CONDITIONS = 12,        /* struct gd_patch_node, by patch */
    GD_SECTION_PATCH_TEXTS = 13,       /* struct gd_patch_text: names, texts, scopes, by patch */
    GD_SECTION_PATTERNS = 14,          /* struct gd_patch_pattern, sorted by id */
    GD_SECTION_COVERS = 15,            /* uint32_t: patches by pattern; then those without one */
    GD_SECTION_EXCEPTIONS = 16,        /* struct gd_exception_entry */
    GD_SECTION_EXCEPTION_TEXTS = 17,   /* struct gd_policy_text: their scopes, by exception */
    GD_SECTION_EXCEPTION_CLIENTS = 18, /* struct gd_exception_client, by exception */
    GD_SECTION_COUNT = 19,
};

struct gd_policy_text {
    uint32_t offset; /* in STRINGS */
    uint32_t len;
};

struct gd_policy_range {
    uint32_t first;
    uint32_t count;
};

enum gd_policy_flag {
    GD_POLICY_SIGNED = 1,
    GD_POLICY_FAIL_CLOSED = 2,
    GD_POLICY_CLIENTS_CLOSED = 4,
    GD_POLICY_LEARNED = 8, /* compiled from a model: what isn't in it is unknown */
    GD_POLICY_NUMBERS_APART =
        16, /* no pattern of its patches may be found in a number: see patch/number.h */
};

struct gd_policy_header {
    uint8_t magic[4]; /* "GPOL" */
    uint32_t version;
    uint64_t length; /* of everything, digest and signature too */
    uint64_t generation;
    uint64_t replaces; /* a rollback: the newest generation it may replace; else 0 */
    uint64_t created_ms;
    uint64_t expires_ms; /* 0: never */
    uint64_t alpha;      /* IEEE 754 */
    uint64_t name_seed;
    uint8_t literal_key[16];
    uint8_t client_key[16];
    uint8_t signer[8]; /* head of the digest of the public key */
    uint64_t faults[GUARD_LOCATION_COUNT];
    uint32_t flags;
    uint16_t threshold; /* of scores of requests */
    uint8_t mode;
    uint8_t request_mode;
    uint8_t response_mode;
    uint8_t time_mode;
    uint16_t strength[GUARD_RULE_COUNT];
    uint16_t threshold_answer;  /* of responses */
    uint16_t threshold_time;    /* of what comes late: one rule, whose strength is the score */
    uint16_t strength_mistyped; /* what rules prove at most where a path doesn't fit */
    uint32_t exchanges;
    uint32_t clients;
    /* Responses of the service by class of status: their headers, of 4xx and 5xx all of them. */
    uint32_t answers[GD_POLICY_ANSWERS]; /* in ENDPOINTS, or GD_POLICY_NONE */
    /* What a person says of responses that have no norm of an endpoint's, below 400. */
    uint32_t others[GD_POLICY_ANSWERS]; /* in ENDPOINTS, or GD_POLICY_NONE */
    struct gd_policy_text service;
    struct gd_policy_range required;                   /* headers and cookies */
    struct gd_policy_range allowed;                    /* in STATUSES; empty: not said */
    struct gd_policy_range sections[GD_SECTION_COUNT]; /* first: offset in the file, canonical */
    uint16_t strength_attack_like; /* what a path proves at most by what it reads like */
    uint16_t threshold_client;     /* of what clients do, whose rates are measured themselves */
    uint16_t threshold_alike;      /* of scores of requests that read like attacks */
    uint16_t reserved_end;
    struct gd_policy_range patches_always; /* in COVERS: of no pattern */
    uint32_t patch_places[2];              /* asked for, of requests and responses */
    uint32_t patch_views;                  /* bit per enum guard_patch_view */
    uint32_t patch_bodies;                 /* bit per enum guard_patch_part */
    struct guard_policy_revision revisions[GUARD_POLICY_REVISIONS]; /* id 0: none */
    struct guard_policy_release releases[GUARD_POLICY_RELEASES];    /* element 0: none */
};

enum gd_policy_node_flag {
    GD_NODE_WILDCARD = 1,
    GD_NODE_REST = 2,         /* a wildcard for one or more segments: the rest of the path */
    GD_NODE_PENDING = 4,      /* seen without support */
    GD_NODE_METHODS_SAID = 8, /* a person listed the methods */
};

/* Node 0 is the root. Children stand together: literal ones first, then wildcards, the most
 * specific first. */
struct gd_policy_node {
    struct gd_policy_text text;
    uint32_t parent;
    uint32_t types; /* of a wildcard: bit per enum guard_type; 0 = any */
    uint32_t child_first;
    uint32_t literal_count;
    uint32_t wildcard_count;
    uint32_t endpoint_first;
    uint32_t endpoint_count;
    uint32_t exchanges;
    uint32_t flags;
    uint16_t strength_path;
    uint16_t strength_method;
};

enum gd_policy_endpoint_flag {
    GD_ENDPOINT_ANY_METHOD = 1,
    GD_ENDPOINT_PENDING = 2,
    GD_ENDPOINT_LEARNED = 4,
    GD_ENDPOINT_CLOSED = 8,     /* unknown names violate what a person wrote */
    GD_ENDPOINT_FORBIDDEN = 16, /* its method does */
    GD_ENDPOINT_HEADERS = 32,   /* has headers or cookies of its own */
    GD_ENDPOINT_ANSWER = 64,    /* a response */
    GD_ENDPOINT_UNSEEN =
        128, /* some of it was learned without bodies: names in them are not judged */
};

/* A response is an endpoint of its own: no node leads to it, and its method is empty. */
struct gd_policy_endpoint {
    uint8_t method[16]; /* padded with zeros */
    struct gd_policy_text template_text;
    uint32_t node;
    uint32_t flags;
    uint64_t faults[GUARD_LOCATION_COUNT];
    struct gd_policy_range media;
    struct gd_policy_range required;
    uint32_t body_max;
    uint32_t depth_max;
    uint32_t exchanges;
    uint32_t clients;
    uint32_t configured;                 /* bit per rule that a person wrote */
    uint32_t latency_max;                /* milliseconds, 0 = not known or without bound */
    uint16_t leaks;                      /* of a response: bit per enum guard_leak: normal */
    uint16_t leaks_forbidden;            /* these violate what a person wrote */
    uint32_t statuses;                   /* of a request: bit per class of status */
    uint32_t answers[GD_POLICY_ANSWERS]; /* in ENDPOINTS, or GD_POLICY_NONE */
    uint16_t strength[GUARD_RULE_COUNT];
    uint8_t method_len;
    uint8_t mode; /* of the request, or of the response */
    uint8_t time_mode;
    uint8_t status;                 /* of a response: its class, else 0 */
    struct gd_policy_range allowed; /* of a request: in STATUSES; empty: the service's */
};

enum gd_policy_field_flag {
    GD_FIELD_REQUIRED = 1, /* the lowest bit: it is counted without a branch */
    GD_FIELD_PENDING = 2,
    GD_FIELD_CLOSED = 4, /* only the values of its literals */
    GD_FIELD_FORBIDDEN = 8,
    GD_FIELD_PENDING_ROWS = 16, /* a second bank of rows holds what has no support */
    GD_FIELD_OPEN = 32,         /* not learned: its members aren't known */
    GD_FIELD_MEMBER = 64,       /* owner is a field */
    GD_FIELD_COUNTS = 128, /* members of it must be there, or it replaces the service's field */
    GD_FIELD_PAIRS = 256,  /* its classes stand in any order: neighbourhoods needn't be tested */
};

struct gd_policy_field {
    uint64_t classes;
    uint64_t pending_classes;
    uint64_t frequent; /* what the rows say of the bits of profile/transition.h */
    uint32_t types;
    uint32_t pending_types;
    uint32_t length_min;
    uint32_t length_max;
    uint32_t digits_max;
    uint32_t specials_max;
    uint32_t items_max;
    uint32_t row_first; /* the first row is empty: classes without a row have rank 0 */
    struct gd_policy_range literals;
    struct gd_policy_range required; /* members */
    uint32_t owner;                  /* endpoint, parent field, or GD_POLICY_NONE: the service */
    uint32_t shadow; /* the service's field that this one replaces, or GD_POLICY_NONE */
    struct gd_policy_text name;
    struct gd_policy_text path;
    uint32_t values;
    uint32_t clients;
    uint32_t configured;
    uint16_t flags;
    uint8_t location;
    uint8_t row_count; /* of one bank, the empty row too */
    uint16_t strength[GUARD_RULE_COUNT];
    uint8_t rank[GUARD_CLASS_COUNT];
    uint16_t likeness; /* bit per enum guard_likeness: what values may read like */
    uint16_t pending_likeness;
    uint32_t reserved;
};

/* Names of up to 16 bytes are held whole in low and high; of longer ones high is a hash. tag:
 * owner, kind << 32, length << 40; 0 = free. */
struct gd_policy_slot {
    uint64_t low;
    uint64_t high;
    uint64_t tag;
    uint32_t value;  /* index of a node or field */
    uint32_t offset; /* of the field's bytes in FIELDS; 0 for a node */
};

/* Kinds of names in the table: a location for a field of an endpoint or of the service, or: */
enum { GD_KEY_MEMBER = 16, GD_KEY_NODE = 17 };

/* One of the Guardian's exceptions (guard/exception.h). */
struct gd_exception_entry {
    struct gd_policy_text id;
    struct gd_policy_range endpoints; /* in EXCEPTION_TEXTS, as the next three */
    struct gd_policy_range methods;
    struct gd_policy_range names;
    struct gd_policy_range patches;
    struct gd_policy_range clients; /* in EXCEPTION_CLIENTS */
    uint64_t expires_ms;
    uint64_t rules[GUARD_EXCEPTION_RULES / 64]; /* bit per rule; none: not said */
    uint32_t locations;                         /* likewise */
    uint32_t reserved;
};

struct gd_exception_client {
    uint8_t address[16];
    uint32_t address_len;
    uint32_t bits;
};

_Static_assert(sizeof(struct gd_policy_header) == 600 + 16 * GUARD_POLICY_RELEASES, "layout");
_Static_assert(GUARD_LEAK_COUNT <= 16, "leaks");
_Static_assert(sizeof(struct gd_policy_node) == 48, "layout");
_Static_assert(sizeof(struct gd_policy_endpoint) == 272, "layout");
_Static_assert(sizeof(struct gd_policy_field) == 224, "layout");
_Static_assert(sizeof(struct gd_policy_slot) == 32, "layout");
_Static_assert(sizeof(struct gd_exception_entry) == 80, "layout");
_Static_assert(sizeof(struct gd_exception_client) == 24, "layout");

#endif
