/* SPDX-License-Identifier: Apache-2.0 */
/* What is counted of one client and of all clients of a service, and the steps of counting one
 * exchange. docs/internals/clients.md says why each number is what it is. */
#ifndef GD_CLIENT_CLIENT_H
#define GD_CLIENT_CLIENT_H

#include "base/hash.h"
#include "profile/profile.h"

#include <guard/client.h>

enum {
    GD_CLIENT_TIERS = 2,  /* windows of ten minutes and of a day */
    GD_CLIENT_SLOTS = 8,  /* places of endpoints that are counted of a client in a window */
    GD_CLIENT_LEVELS = 4, /* beyond the limit by a factor of 2, 4, 8, 16 */
    GD_CLIENT_WAYS = 8,
    GD_CLIENT_TOP = 16,  /* the most extreme clients of a norm */
    GD_CLIENT_FIRED = 8, /* clients that crossed a bound; more are only counted */
    GD_CLIENT_TAGS = 32,
    GD_CLIENT_KNOWN = 32, /* clients that make a norm */
    GD_CLIENT_NORMS = 256,
    GD_CLIENT_STEPS = 2048, /* known steps from endpoint to endpoint */
    GD_CLIENT_STEP_TAGS = 4,
    GD_CLIENT_METHOD = 16, /* bytes of texts that are kept */
    GD_CLIENT_TEMPLATE = 128,
    GD_CLIENT_PLACE = 48,
};

/* The rules as an index, in the order of their numbers. */
enum { GD_CLIENT_RULES = GUARD_RULE_CLIENT_SUBJECTS - GUARD_RULE_CLIENT_RATE + 1 };

/* A measure of one client in one window. */
struct gd_client_mark {
    uint32_t counted; /* the value that the norm knows of */
    uint8_t level;    /* of the highest bound that was crossed */
};

/* Something of which a client asks for different ones: places of endpoints, unknown paths, steps.
 */
struct gd_client_slot {
    uint32_t key; /* of the norm; 0 = free */
    uint32_t touched;
    uint64_t bits[4]; /* linear counting of what was asked for */
    struct gd_client_mark mark;
};

struct gd_client_window {
    uint64_t number; /* of the window since 1970 */
    uint32_t requests;
    uint32_t good; /* answered 2xx or 3xx */
    uint32_t bad;  /* 4xx */
    uint32_t kib;  /* of responses */
    uint32_t bytes_rest;
    bool trial; /* one of those that rates are measured on: ten of each client */
    struct gd_client_mark rate, errors, bytes;
    struct gd_client_slot slots[GD_CLIENT_SLOTS];
};

struct gd_client_place {
    uint64_t code; /* of service and client; 0 = free */
    uint32_t wide; /* hash of its wider prefix */
    uint32_t tag;  /* in norms */
    uint64_t seen_ms;
    uint32_t calm; /* closed short windows without a deviation */
    uint8_t trials[GD_CLIENT_TIERS];
    uint32_t past; /* requests before the open short window, halved daily */
    uint32_t past_day;
    uint32_t last; /* endpoint of the request before, 0: none */
    struct gd_client_window windows[GD_CLIENT_TIERS];
};

struct guard_client_places {
    struct guard_alloc alloc;
    uint32_t sets;  /* a power of two */
    uint64_t *used; /* bit per set: it was cleared for its first client */
    struct gd_client_place *list;
};

struct gd_client_extreme {
    uint32_t tag;
    uint32_t value;
    uint32_t day;
};

/* A client that crossed a bound. */
struct gd_client_fire {
    uint32_t tag;
    uint32_t day;
};

/* What all clients do at one place, in windows of one length. */
struct gd_client_norm {
    uint8_t rule; /* index of */
    uint8_t tier;
    uint8_t top_count;
    uint8_t tag_count;
    uint8_t fired_count[GD_CLIENT_LEVELS];
    uint32_t fired_more[GD_CLIENT_LEVELS]; /* beyond the list */
    uint32_t day;                          /* of the last change */
    uint32_t trials;                       /* clients' windows, ten of each at most */
    uint32_t tags[GD_CLIENT_TAGS];         /* bottom-k of clients */
    struct gd_client_extreme top[GD_CLIENT_TOP];
    struct gd_client_fire fired[GD_CLIENT_LEVELS][GD_CLIENT_FIRED];
    uint8_t location;
    uint8_t method_len, template_len, place_len;
    uint8_t method[GD_CLIENT_METHOD];
    uint8_t template_text[GD_CLIENT_TEMPLATE];
    uint8_t place[GD_CLIENT_PLACE];
};

/* A step from endpoint to endpoint and who made it. */
struct gd_client_step {
    uint32_t key; /* 0 = free */
    uint32_t tags[GD_CLIENT_STEP_TAGS];
};

struct guard_clients {
    struct guard_alloc alloc;
    struct guard_client_places *places;
    struct guard_arena arena; /* of the record in hand */
    struct guard_span service;
    uint8_t service_text[128];
    struct gd_hash_key key; /* of places, tags and counting */
    uint8_t table_key[16];  /* of verdicts */
    uint8_t key_id[8];
    uint32_t support;
    uint64_t exchanges;
    uint64_t pushed_out;
    uint32_t untracked;
    uint64_t past; /* as that of places */
    uint32_t past_day;
    uint32_t rate_at[GD_CLIENT_TIERS]; /* norms of the rate: they stand for all clients */
    char observed[64];                 /* text of the client in hand */
    struct gd_client_step steps[GD_CLIENT_STEPS];
    uint32_t norm_count;
    uint32_t keys[GD_CLIENT_NORMS];
    struct gd_client_norm norms[GD_CLIENT_NORMS]; /* cleared when they are taken */
};

/* --- places.c --- */

/* The client's place, made if there is none; NULL when a client without prefix and subject. */
struct gd_client_place *gd_client_place(struct guard_clients *clients,
                                        const struct guard_client *client, uint64_t now_ms);
/* Opens the windows that now lies in. */
void gd_client_windows(struct guard_clients *clients, struct gd_client_place *place,
                       uint64_t now_ms);
/* The slot of the key, which may take the place of the least interesting one. *fresh: it is new and
 * took nobody's. */
struct gd_client_slot *gd_client_slot(struct gd_client_window *window, uint32_t key, bool *fresh);
/* Adds one of many; returns how many different ones there were. */
uint32_t gd_client_slot_add(struct gd_client_slot *slot, uint64_t hash);
/* Whether the client carries so much of the traffic that it stands for many. */
bool gd_client_shared(const struct guard_clients *clients, const struct gd_client_place *place);
/* Requests of the past, as they weigh on that day: half for each day since. */
uint64_t gd_client_aged(uint64_t requests, uint32_t then, uint32_t day);

/* --- norms.c --- */

/* What a norm is of. */
struct gd_client_subject {
    enum guard_rule rule;
    uint8_t tier;
    enum guard_location location;
    struct guard_span method;
    struct guard_span template_text;
    struct guard_span place;
};

uint32_t gd_client_key(const struct guard_clients *clients,
                       const struct gd_client_subject *subject);
/* Made if there is none; NULL when there are too many. */
struct gd_client_norm *gd_client_norm(struct guard_clients *clients, uint32_t key,
                                      const struct gd_client_subject *subject, uint32_t day);
/* A client's window begins to count, trial: as one of those that a rate is measured on. */
void gd_client_norm_begin(struct gd_client_norm *norm, uint32_t tag, bool trial, uint32_t day);
void gd_client_norm_raise(struct gd_client_norm *norm, uint32_t tag, uint32_t value, uint32_t day);
/* What all others but fewer than D or 1/256 of `clients` do at most. */
uint32_t gd_client_norm_limit(const struct gd_client_norm *norm, uint32_t support, uint32_t clients,
                              uint32_t tag, uint32_t day);
uint32_t gd_client_norm_clients(const struct gd_client_norm *norm);
void gd_client_norm_fire(struct gd_client_norm *norm, uint32_t level, uint32_t tag, uint32_t day);
/* Those whose trials the norm's rates are measured on: its own, or those of all clients where not
 * to do it at all is normal. */
const struct gd_client_norm *gd_client_population(const struct guard_clients *clients,
                                                  const struct gd_client_norm *norm);
/* Evidence of crossing the bound of a level (0..), in hundredths of -log10 of a client's window. */
uint16_t gd_client_strength(const struct guard_clients *clients, const struct gd_client_norm *norm,
                            uint32_t level, uint32_t day);
/* The same with the rule's weight: a prior on where attacks lie. */
uint16_t gd_client_weighted(uint32_t rule, uint32_t level, uint16_t strength);
/* The least limit of a rule: nobody deviates below twice that. */
uint32_t gd_client_floor(uint32_t rule, uint32_t tier);

/* Whether the step is one that D clients make; the client is noted as one of them. */
bool gd_client_step_known(struct guard_clients *clients, uint32_t key, uint32_t tag);

/* --- report.c --- */

/* A bound that was crossed. */
struct gd_client_crossing {
    const struct gd_client_norm *norm;
    uint32_t level; /* 0.. */
    uint32_t value;
    uint32_t expected;
    uint16_t strength;
};

/* Adds it to the report when it is strong enough for the policy's threshold. */
void gd_client_report_add(struct guard_client_report *report,
                          const struct gd_client_crossing *crossing, uint32_t clients);
void gd_client_report_end(struct guard_clients *clients, struct guard_client_report *report,
                          enum guard_mode mode);

#endif
