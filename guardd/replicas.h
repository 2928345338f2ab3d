/* SPDX-License-Identifier: Apache-2.0 */
/* Guardds that share a database: one learns each service, the others feed it what their gates saw
 * and publish what it learned; when it is gone another one goes on. docs/adr/0014-stores.md */
#ifndef GUARDD_REPLICAS_H
#define GUARDD_REPLICAS_H

#include <guard/pile.h>

struct service;
struct services;

/* The last number given to a record of a ring, in all piles of the service. */
struct replica_source {
    uint64_t producer;
    uint64_t incarnation;
    uint64_t sequence;
};

/* What a service has of it; all zeros at first. */
struct replica {
    const char *role; /* "learner", "suspended" (the learner, cut off from the database) or
                         "follower"; NULL: the database is ours alone */
    bool learns;      /* its pile is the one to be saved, if the claim still holds */
    uint64_t session; /* of the store, in which it was claimed; 0: none */
    uint64_t fence;   /* of the last claim */
    uint64_t
        unread_ms; /* when its pile was of a version that this program doesn't read; 0: never */
    /* What isn't in the store yet: since the last transaction began, and what that one would have
     * saved while nobody knows what became of it. NULL: nothing. */
    struct guard_pile *delta;
    struct guard_pile *sealed;
    struct replica_source *sources;
    uint32_t source_count;
    uint64_t turn;      /* of being the learner: a part of its sources' incarnations */
    uint64_t published; /* of the learner's generations, the last that was put in place here */
    uint64_t stored;    /* of one's own, the last whose policy is in the store */
    uint64_t offered;   /* of the policy that lies in place: who takes over counts on from more */
    uint64_t refused;   /* the learner's that can't be put in place */
    bool foreign;       /* that was told */
    bool fed;           /* feeds wait for the learner */
    bool whole;         /* the transaction saves its pile */
    bool ready;         /* of the learner's policy: what it was made of */
};

/* Sets the roles of all, as people are told them. */
void replicas_roles(struct services *services);
/* Of a service that is found: the key becomes the one that all use. */
GUARD_MUST_USE enum guard_rc replica_key(struct services *services, struct guard_span name,
                                         uint8_t key[GUARD_KEY_BYTES], struct guard_err *err);
/* Whether a service of the name wasn't found only because the database gives no key just now. */
bool replica_key_away(const struct services *services, struct guard_span name);
/* Whether its records wait for that, too: not for long, as others stand behind them in the ring. */
bool replica_key_awaited(struct services *services, struct guard_span name);
/* Another guardd may have found the service since: then it becomes known here, too. */
void replica_find(struct services *services, struct guard_span name);
/* As guard_pile_observe, with a number that this gives. */
GUARD_MUST_USE enum guard_rc replica_observe(struct services *services, struct service *service,
                                             struct guard_source *source, struct guard_span record,
                                             struct guard_err *err);
/* Whether it may learn and publish. */
bool replica_publishes(const struct services *services, const struct service *service);

/* replica_model.c: of one that others learn, what waits there, for people who ask: a model of the
 * pile in the database, at most so often that it costs little. */
void replica_look(struct services *services, struct service *service);

/* Inside the transaction, before all services: what became of the last one, and who is fed. */
GUARD_MUST_USE enum guard_rc replicas_begin(struct services *services, struct guard_err *err);
/* Saves the service as its learner or as one who feeds. */
GUARD_MUST_USE enum guard_rc replica_save(struct services *services, struct service *service,
                                          struct guard_err *err);
/* A transaction failed: what reporters sent for others to learn isn't kept, they were told so. */
void replicas_unsaved(struct services *services);
/* After the commit; true: its pile was saved. */
bool replica_saved(const struct services *services, struct service *service);
/* Between two transactions: claims services, takes those that others found, and policies. */
void replicas_tick(struct services *services);
void replica_free(struct replica *replica);

#endif
