/* SPDX-License-Identifier: Apache-2.0 */
/* What was learned of a service, readable: folded from a pile by guard_learn. Programs show it, the
 * policy is compiled from it. Plain arrays in one block of memory; immutable. */
#ifndef GUARD_MODEL_H
#define GUARD_MODEL_H

#include <guard/histogram.h>
#include <guard/pile.h>
#include <guard/review.h>
#include <guard/verdict.h>

enum {
    GUARD_NO_INDEX = 0xffffffff,
    GUARD_SCALE_STEP = 10, /* hundredths */
    GUARD_SCALE_POINTS = 121,
};

/* Which exchanges a scale is of. */
enum guard_scale {
    GUARD_SCALE_REQUESTS = 0, /* whatever they read like */
    GUARD_SCALE_ANSWERS = 1,
    GUARD_SCALE_ALIKE = 2, /* requests of which something reads like an attack; no others count */
    GUARD_SCALE_COUNT = 3,
};

/* A field (named value) of an endpoint or of the service (headers, cookies). */
struct guard_model_field {
    enum guard_location location;
    uint32_t parent; /* JSON: index of the parent in the same array, else GUARD_NO_INDEX; parents
                        come first */
    struct guard_span name; /* its own name: "b", "[]", "seg1"; "" for the document or the body */
    struct guard_span path; /* for people: "a.b[].c" */
    uint64_t values;        /* exchanges that had it */
    uint32_t clients;       /* distinct units, estimated */
    uint32_t epochs;
    uint32_t support; /* in halves of a client */
    bool trusted;     /* the name has its support: learned; others are pending */
    bool required; /* every exchange of the endpoint (of its parent, for JSON) had it, and that is
                      proved */
    bool closed;   /* only values out of `literals` */
    uint64_t classes;         /* bit per enum guard_class: all seen with support */
    uint64_t pending_classes; /* seen, without support yet */
    uint32_t types;           /* bit per enum guard_type, with support */
    uint32_t pending_types;
    uint32_t likeness; /* bit per enum guard_likeness: values read like it, with support */
    uint32_t pending_likeness;
    uint64_t transitions[GUARD_CLASS_COUNT];         /* row from: bit to; with support */
    uint64_t pending_transitions[GUARD_CLASS_COUNT]; /* without */
    uint32_t length_min, length_max; /* bounds over what has support (a bucket's edges) */
    uint32_t digits_max, specials_max, items_max;
    struct guard_histogram numbers[GUARD_FIELD_NUMBERS]; /* by enum guard_number */
    uint64_t *literals;                                  /* keyed hashes, sorted */
    uint32_t literal_count;
    uint16_t strength[GUARD_RULE_COUNT]; /* hundredths of -log10 p when the rule fires here; 0 = not
                                            armed */
};

enum { GUARD_LATE_FACTOR = 2, GUARD_LATE_LEAST_MS = 500 };

/* Whether there is enough evidence to judge by. */
struct guard_model_readiness {
    bool ready;
    struct guard_span lacks; /* why not, for people: "3 of 4 clients"; "" when ready */
};

/* An endpoint, or what it answers with: its response of one class of status, or the service's. */
struct guard_model_endpoint {
    uint32_t status;    /* class 2..5 of a response; 0: a request */
    uint32_t answer_of; /* of a response: index of the endpoint, GUARD_NO_INDEX for the service */
    struct guard_span method;
    struct guard_span template_text; /* "/users/{}" */
    uint32_t node;                   /* index into nodes */
    uint64_t exchanges;
    uint32_t clients;
    uint32_t epochs;
    uint32_t support;
    bool trusted;
    bool ready;              /* enough evidence for its rules to be proved at all */
    struct guard_span lacks; /* why it isn't ready, for people: "3 of 4 clients"; "" when it is */
    struct guard_model_readiness
        response;                      /* of a request: to what it is answered most often with */
    struct guard_model_readiness time; /* of a request: a deadline */
    struct guard_span *media_types;
    uint32_t media_count;
    bool body_seen;
    bool unseen; /* some of the traffic was recorded without bodies: nothing is said of them */
    uint32_t body_max;    /* bytes */
    uint32_t latency_max; /* milliseconds; 0: not known, or without bound as of streams. Late is
                             what takes GUARD_LATE_FACTOR times that and GUARD_LATE_LEAST_MS */
    uint32_t leaks;       /* of a response: bit per enum guard_leak: normal here */
    uint32_t statuses;    /* of a request: bit per class of status that it was answered with */
    uint32_t depth_max;
    struct guard_histogram numbers[GUARD_ENDPOINT_NUMBERS]; /* from GUARD_NUMBER_BODY on */
    uint64_t faults[GUARD_LOCATION_COUNT]; /* bit per enum guard_fault: normal here */
    uint32_t first_field, field_count;     /* range of model->fields */
    uint16_t strength[GUARD_RULE_COUNT];
};

/* The tree of templates. Node 0 is the root (before the first '/'). */
struct guard_model_node {
    struct guard_span text; /* literal segment; "{}" or "{int}"... for a collapsed one */
    uint32_t parent;
    bool wildcard;
    uint32_t types; /* for wildcards: bit per enum guard_type of the typed segments it stands for; 0
                       = any */
    uint16_t strength[2]; /* PATH: evidence that an unknown child is a deviation; METHOD: an unknown
                             method here */
    uint64_t exchanges;
    uint32_t pending; /* children that were seen but have no support yet; they are no nodes */
};

struct guard_model {
    struct guard_alloc alloc;
    struct guard_span service;
    uint8_t key_id[8];
    uint8_t literal_key[16]; /* under which literals are hashed */
    uint8_t pile_digest[GUARD_DIGEST_BYTES];
    uint64_t exchanges;
    uint32_t clients;
    uint32_t epochs;
    uint64_t anonymous; /* exchanges without a client: "no poisoning claim" when these are all */
    bool ready;
    uint32_t progress; /* per mille, for people */
    struct guard_model_node *nodes;
    uint32_t node_count;
    struct guard_model_endpoint *endpoints; /* the responses' stand behind the requests' */
    uint32_t endpoint_count;                /* of requests */
    uint32_t answer_count;                  /* of responses */
    struct guard_model_field *fields;       /* those of endpoints, then those of the service */
    uint32_t field_count;
    uint32_t first_service_field, service_field_count; /* headers and cookies */
    uint64_t service_faults[GUARD_LOCATION_COUNT];     /* outside of any endpoint */
    uint16_t service_strength[GUARD_RULE_COUNT]; /* unknown names of headers and cookies, ... */
    /* What scores are worth: hundredths of -log10 of the share of benign exchanges whose score is
       i * GUARD_SCALE_STEP or more; ascending. */
    uint16_t scale[GUARD_SCALE_COUNT][GUARD_SCALE_POINTS];
    uint16_t mistyped_strength; /* what syntax in a path proves at most, by what is refused anyway;
                                   0 = anything */
    uint16_t attack_like_strength; /* the same of what paths read like */
    bool clients_closed;
    uint32_t *client_prefixes; /* keyed hashes (low 32 bits), sorted, when closed */
    uint32_t client_prefix_count;
    uint8_t client_key[16];
    /* What waits for its support, and what people decided about, so far as it is in the pile; the
       most clients first. */
    struct guard_review_pending *pending;
    uint32_t pending_count;
    uint32_t pending_total; /* with those that there was no room for */
};

struct guard_learn_cfg {
    struct guard_alloc alloc;
    uint32_t support;    /* D: distinct clients before anything is trusted; 0 = 4 (1..4) */
    uint32_t epochs_min; /* 0 = 2 */
    const struct guard_review *review; /* what people decided; may be NULL. Needed for the call */
};

/* GUARD_E_NOMEM, GUARD_E_LIMIT. *out is owned by the caller. */
GUARD_API GUARD_MUST_USE enum guard_rc guard_learn(struct guard_model **out,
                                                   struct guard_pile *pile,
                                                   const struct guard_learn_cfg *cfg,
                                                   struct guard_err *err);
/* How much of what is trusted may be new against an earlier model of the service; more than that
 * stays pending, seen and never blocking alone: */
enum {
    GUARD_GROWTH_LEAST = 16,          /* endpoints, fields, characters, likenesses; or */
    GUARD_GROWTH_SHARE = 5,           /* one in so many of what the earlier one trusts; */
    GUARD_GROWTH_ENDPOINT_LEAST = 12, /* of these of one endpoint or response; or */
    GUARD_GROWTH_ENDPOINT_SHARE = 2,  /* one in so many of its own */
    GUARD_GROWTH_SHOWN = 16,
};
struct guard_growth {
    uint32_t grown;                                        /* new and trusted */
    uint32_t held;                                         /* new and made pending */
    struct guard_review_element first[GUARD_GROWTH_SHOWN]; /* of these; spans of the model */
};
/* Holds what is too much. Those vouched for by the most clients come first; what people accepted
 * isn't counted. Before a policy is compiled of the model. review may be NULL. */
GUARD_API void guard_model_hold_growth(struct guard_model *model, const struct guard_model *parent,
                                       const struct guard_review *review, struct guard_growth *out);
/* What is trusted: endpoints, fields, and of fields characters and likenesses. */
GUARD_API uint32_t guard_model_elements(const struct guard_model *model);
GUARD_API void guard_model_free(struct guard_model *model);

#endif
