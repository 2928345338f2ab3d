/* SPDX-License-Identifier: Apache-2.0 */
/* What people decided about single things that were seen and not learned yet: accepted ones are
 * normal from the next learning on, refused ones never become normal by being repeated. A part of
 * what guard_learn is a function of. docs/adr/0010-review.md */
#ifndef GUARD_REVIEW_H
#define GUARD_REVIEW_H

#include <guard/types.h>

/* What can be decided about. Append only: the numbers are part of ids. */
enum guard_review_kind {
    GUARD_REVIEW_PATH = 0,         /* a segment below a template: text */
    GUARD_REVIEW_METHOD = 1,       /* at a template: text */
    GUARD_REVIEW_NAME = 2,         /* a field, with what D clients sent in it from the beginning */
    GUARD_REVIEW_CONTENT_TYPE = 3, /* text */
    GUARD_REVIEW_CHARACTER = 4,    /* code: enum guard_class */
    GUARD_REVIEW_PAIR = 5,         /* code: class << 6 | the class behind it */
    GUARD_REVIEW_TYPE = 6,         /* code: enum guard_type */
    GUARD_REVIEW_LIKENESS = 7,     /* code: enum guard_likeness */
    GUARD_REVIEW_FAULT = 8,        /* code: enum guard_location << 8 | enum guard_fault */
    GUARD_REVIEW_LEAK = 9,         /* code: enum guard_leak */
    GUARD_REVIEW_KINDS = 10,
};
/* "path", "method", "name", ...; "unknown". Static text. */
GUARD_API const char *guard_review_kind_name(enum guard_review_kind kind);

enum guard_review_decision {
    GUARD_REVIEW_WAITING = 0,
    GUARD_REVIEW_ACCEPTED = 1,
    GUARD_REVIEW_REFUSED = 2,
};
/* "waiting", "accept", "refuse"; "unknown". Static text. */
GUARD_API const char *guard_review_decision_name(enum guard_review_decision decision);

/* One thing, where it is. Empty spans and zeros where something doesn't apply. */
struct guard_review_element {
    enum guard_review_kind kind;
    uint32_t status;                 /* class 1..5 of a response, 0: a request */
    struct guard_span method;        /* of the endpoint; "": of a template or of the service */
    struct guard_span template_text; /* "/users/{}" */
    enum guard_location location;    /* of a field */
    struct guard_span name;          /* of a field: "a.b[].c" */
    struct guard_span text;          /* of PATH, METHOD and CONTENT_TYPE */
    uint32_t code;                   /* of the others */
};

struct guard_review_entry {
    struct guard_review_element element;
    enum guard_review_decision decision;
};

/* Decisions of one service. Borrowed: guard_learn copies what it needs. */
struct guard_review {
    const struct guard_review_entry *entries;
    uint32_t count; /* at most GUARD_REVIEW_ENTRIES_MAX */
};

enum {
    GUARD_REVIEW_ENTRIES_MAX = 512,
    GUARD_REVIEW_PENDING_MAX = 1024, /* in a model */
    GUARD_REVIEW_ID_CHARS = 12,
};

/* A thing that waits, or that was decided about and is there. */
struct guard_review_pending {
    struct guard_review_element element;
    enum guard_review_decision decision;
    uint64_t records; /* that had it */
    uint32_t clients; /* distinct units, estimated */
    uint32_t support; /* in halves of a client */
    uint32_t epochs;  /* in which it was seen */
    uint32_t first_s; /* Unix time of the first of them, of PATH, METHOD, NAME and CONTENT_TYPE; 0:
                         not known */
    uint32_t
        likeness; /* bit per enum guard_likeness: what values that may belong to it read like */
};

/* What people call it by: hexadecimal digits of a digest of the service and all of the element. */
GUARD_API void guard_review_id(char out[GUARD_REVIEW_ID_CHARS + 1], struct guard_span service,
                               const struct guard_review_element *element);

#endif
