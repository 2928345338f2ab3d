/* SPDX-License-Identifier: Apache-2.0 */
/* A small service as if it had been learned, made by hand: what policies are compiled from and
 * requests are asked against in the tests of policy, decision, out-of-memory and golden verdicts.
 */
#ifndef GUARD_TEST_WORLD_H
#define GUARD_TEST_WORLD_H

#include <guard/policy.h>
#include <guard/txn.h>

enum { WORLD_STRENGTH = 450, WORLD_FIELDS = 96 };

struct world {
    struct guard_model model;
    struct guard_guardian guardian;
    struct guard_policy_cfg cfg;
    struct guard_model_node nodes[32];
    struct guard_model_endpoint endpoints[16];
    struct guard_model_field fields[WORLD_FIELDS];
    uint64_t literals[64];
    uint32_t literal_count;
    uint32_t prefixes[4];
};

/* Endpoints of the world, in this order. */
enum {
    WORLD_SEARCH,
    WORLD_USER,
    WORLD_ORDER,
    WORLD_LOGIN,
    WORLD_FILE,
    WORLD_PENDING,
    WORLD_ENDPOINTS
};

extern const struct guard_alloc world_heap;

void world_init(struct world *world);
/* Lets it have learned responses, too: of GET /users/{int} JSON with "id" and "name", of what fails
 * JSON with "error"; "cache-control" everywhere; nothing that leaks, no 5xx. */
void world_learn_responses(struct world *world);
struct guard_span world_span(const char *text);
/* The field of an endpoint (or of the service, endpoint -1). Fails the test when there is none. */
struct guard_model_field *world_field(struct world *world, int endpoint,
                                      enum guard_location location, const char *path);
/* A criterion that says nothing yet. */
struct guard_criterion world_criterion(enum guard_location location, const char *name);
/* Lets a field learn one more value. */
void world_teach(struct guard_model_field *field, const char *value);

/* Compiles, checks and opens; fails the test when that fails. bytes may be NULL. */
struct guard_policy *world_policy(const struct world *world);
void world_policy_free(struct guard_policy *policy);

struct ask {
    const char *method;
    const char *target;
    const char *headers; /* "name: value\n"...; NULL: those that every client sends */
    const char *body;
    const char *client; /* "192.0.2.7"; NULL: unknown */
};

struct reply {
    uint32_t status;
    const char *type;    /* NULL: none */
    const char *headers; /* "name: value\n"..., or NULL */
    const char *body;    /* NULL: none */
};

struct answer {
    struct guard_arena arena;
    struct guard_txn *txn;
    const struct guard_verdict *verdict;
};

/* Benign headers of the world. */
extern const char world_headers[];
/* What is asked is of a new revision. */
extern bool world_shadow;
/* When it is asked; 0: nobody knows. */
extern uint64_t world_time_ms;
void world_ask(struct answer *answer, const struct guard_policy *policy, const struct ask *ask);
/* The same without classes of likeness, as bits. */
void world_ask_but(struct answer *answer, const struct guard_policy *policy, const struct ask *ask,
                   uint32_t without);
/* Asks, and lets the service reply: the verdict is that of the response. */
void world_reply(struct answer *answer, const struct guard_policy *policy, const struct ask *ask,
                 const struct reply *reply);
/* The same as a call that the service makes. */
void world_call(struct answer *answer, const struct guard_policy *policy, const struct ask *ask);
void world_answer_free(struct answer *answer);
/* The finding of a rule at a name ("" for none), or NULL. name NULL: anywhere. */
const struct guard_finding *world_finding(const struct answer *answer, enum guard_rule rule,
                                          const char *name);

#endif
