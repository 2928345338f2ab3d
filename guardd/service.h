/* SPDX-License-Identifier: Apache-2.0 */
/* One service as guardd knows it: its pile, its Guardian, the policy it published last. */
#ifndef GUARDD_SERVICE_H
#define GUARDD_SERVICE_H

#include "breaker.h"
#include "clients.h"
#include "documents.h"
#include "generations.h"
#include "history.h"
#include "keys.h"
#include "node.h"
#include "releases.h"
#include "replicas.h"
#include "revisions.h"
#include "store.h"
#include "traffic.h"

#include "guardd/pods/backlog.h"
#include "guardd/pods/profiles.h"
#include "guardd/pods/withdrawals.h"
#include "guardd/tree/delta.h"
#include "guardd/tree/inbox.h"
#include "guardd/tree/outbox.h"
#include "guardd/tree/role.h"
#include "guardd/tree/spool.h"
#include "guardd/tree/told.h"
#include "guardd/tree/uplink.h"

#include "common/review.h"
#include "common/state.h"

#include <guard/guardian.h>
#include <guard/model.h>
#include <guard/txn.h>

#include <sys/stat.h>

enum { SERVICES_MAX = 1024, SERVICE_NAME_CAP = STATE_SERVICE_MAX + 1 };

/* A rollback in force: what was learned by an older generation is what is enforced. */
struct rollback {
    uint64_t generation;       /* 0: none */
    uint64_t until_ms;         /* 0: until it is ended */
    uint64_t stamp;            /* of the document that was read; 0 = none */
    struct guard_model *model; /* of that generation's pile */
};

/* The pile behind the newest policy, until the store has it. */
struct snapshot {
    struct generation generation;
    uint8_t *bytes; /* NULL: none */
    size_t len;
    struct generations after; /* what is kept once it is saved */
};

/* Whether gates stand in its way, as an operator's canaries proved it last. */
enum { SERVICE_PATH_CAP = 400 };
struct service_path {
    bool asked;                     /* else nothing is known */
    uint32_t pods;                  /* those that take its requests, at ports of HTTP: */
    uint32_t proved, bare, silent;  /* by what answered there */
    bool not_in_path;               /* a request may reach the service without a gate */
    char message[SERVICE_PATH_CAP]; /* names, for people */
};

struct service {
    char name_text[SERVICE_NAME_CAP];
    struct guard_span name;
    uint8_t key[GUARD_KEY_BYTES];
    struct guard_pile *pile;
    struct guard_model *model; /* of the last learning; NULL before */
    struct guard_model
        *parent;        /* what was trusted some hours ago: bounds growth; NULL: nothing was */
    uint64_t parent_ms; /* since when it does */
    bool parent_recalled;
    struct guard_growth growth; /* of model; its spans are the model's */
    uint64_t generation;        /* of the last published policy; 0 = none */
    uint64_t published_ms;
    uint64_t learned_ms;
    uint64_t learn_cost_ms;
    uint64_t learned_exchanges;   /* pile's exchanges at the last learning */
    uint64_t published_exchanges; /* at the last publication */
    bool published_ready;
    bool stored;       /* the store has it, and so its key survives */
    bool dirty;        /* the pile differs from the stored one */
    bool urgent;       /* publish at the next tick: the Guardian or the rollback changed */
    bool by_people;    /* what changed since the last publication isn't only what was learned */
    bool unpublished;  /* the policy couldn't be written: tried again */
    uint64_t tried_ms; /* when */
    bool damaged;      /* out of memory inside the pile: not observed into any more */
    struct rollback rollback;
    struct snapshot snapshot;
    struct generations generations; /* in the store */
    struct revisions revisions;
    struct guard_guardian guardian;
    struct guard_arena guardian_arena;
    uint64_t expiries_told;        /* of the day, document and revision for which that was done */
    uint64_t guardian_stamp;       /* of the file that was read; 0 = none */
    struct guard_err guardian_err; /* why the newest document isn't in force; "" when it is */
    struct review_document review; /* what people decided of what waits */
    struct guard_arena review_arena;
    uint64_t review_stamp;       /* of the file that was read; 0 = none */
    struct guard_err review_err; /* as guardian_err */
    uint64_t refused;            /* records that the pile refused */
    struct traffic traffic;
    struct history history;
    uint64_t day; /* of the newest record, since 1970; 0 = none had a time */
    struct replica replica;
    struct service_path path;
    struct shared_file shared[SHARED_KINDS]; /* of guardds that share a database */
    uint64_t ahead_day; /* on which it was last said that a gate's clock is ahead */
    /* Of a node with a parent: pile is the open delta. */
    struct delta delta;
    struct spool_queue spool;
    struct uplink_service up;
    struct summary summary;
    /* Of a node with children. */
    struct inbox_queue inbox;
    struct guard_pile *held; /* of an aggregator: which records came */
    struct service_clients clients;
    /* What has large tables stands last: pages of them that nothing was written to take no memory,
     * and most services of a large cluster have little traffic. */
    struct breaker breaker;
    struct service_pods pods;
    struct pod_backlog backlog; /* where the database is shared */
    struct service_withdrawals withdrawals;
    struct releases releases;
};

struct services {
    const char *state;
    const struct signing_key *signing;
    struct store *store;
    struct guard_client_places *places; /* NULL: no memory, clients aren't watched */
    struct alerts *alerts;
    struct service *list[SERVICES_MAX];
    uint32_t count;
    uint64_t release_window_ms; /* for how long what is new in a revision isn't blocked */
    uint64_t policy_valid_ms;   /* by then gates expect a newer one; 0: never */
    /* Of guardds that share a database; run is by chance, 0: the database is ours alone. */
    uint64_t run;
    uint64_t feeds;    /* the number of the last one */
    uint32_t attended; /* where claiming goes on */
    uint64_t attended_ms;
    uint64_t fed_ms;        /* when feeds were looked for */
    uint64_t fold_until_ms; /* for merging them in this transaction */
    struct told told;
    uint32_t documents_at; /* where comparing documents goes on */
    uint64_t rejected;     /* records of services beyond the maximum, with bad names or no key */
    uint64_t keys_away_ms; /* since when the shared database gives none; 0: it does */
    bool keys_told;
    enum tree_role role;
    struct uplink *uplink; /* NULL: there is no parent */
    char node_id[17];      /* tells it from others with the same name at the parent */
    struct spool spool;    /* of what goes to it */
    uint64_t report_ms;    /* between two reports of a service */
    bool spool_failing;
    uint32_t history_queued; /* batches from below, of all services */
    bool history_rolled;     /* of one service, in this transaction */
    bool history_all;        /* at the end of its life: nothing waits for its time */
    struct inbox inbox;
    struct pod_counts pod_counts;
    struct pod_backlogs pod_backlogs;
    struct pod_orders *pod_orders; /* NULL: no records of pods are taken in, as pod_cases */
    struct pod_cases *pod_cases;
    struct pod_responder *pod_responder; /* likewise */
    struct pod_forward *pod_forward;     /* NULL: there is no parent */
    struct pod_reported *pod_reported;   /* NULL: no children, or none that may report of pods */
    struct pod_self pod_self;            /* that this guardd stands beside; all zeros: none */
    uint64_t withdrawals_ms;             /* when they were looked through */
    uint64_t pod_gate_claims[POD_GATE_ANSWERS]; /* what became of them; counted since the start */
};

/* Loads all services of the store. */
GUARD_MUST_USE enum guard_rc services_load(struct services *services, struct guard_err *err);
void services_free(struct services *services);
/* Finds the service or makes it (a fresh key); NULL when the name is bad, there are too many, no
 * memory, or the shared database is away. */
struct service *services_get(struct services *services, struct guard_span name);
/* Finds it; NULL when there is none. */
struct service *services_find(const struct services *services, struct guard_span name);
/* Makes it with the key that the parent gave. GUARD_E_LIMIT, GUARD_E_NOMEM, GUARD_E_IO. */
GUARD_MUST_USE enum guard_rc services_adopt(struct services *services, struct guard_span name,
                                            const uint8_t key[GUARD_KEY_BYTES],
                                            struct guard_err *err);
/* The parent has another key for it now: what was made under the old one is of no use any more.
 * Nothing when it is the same. */
void services_rekey(struct services *services, struct service *service,
                    const uint8_t key[GUARD_KEY_BYTES]);
/* Takes in one record of a ring. False: it can't be taken yet and is to be offered again. */
GUARD_MUST_USE bool services_observe(struct services *services, uint64_t producer,
                                     uint64_t incarnation, struct guard_span record);
/* The pile grew by a merge. */
void service_merged(struct service *service);
/* What a node below saw of revisions, and of deviations by new elements. */
void service_told_revision(struct services *services, struct service *service,
                           struct guard_span text);
void service_told_novelty(struct services *services, struct service *service,
                          const struct guard_record_head *head);
/* Its pile may be unusable now. */
void service_failed(struct service *service, enum guard_rc rc, const struct guard_err *err);
/* An empty pile of the service. */
GUARD_MUST_USE enum guard_rc service_new_pile(const struct service *service,
                                              struct guard_pile **out, struct guard_err *err);
/* Services that have a Guardian document but no traffic yet become known; changed documents are
 * read. */
void services_watch_guardians(struct services *services);
/* Changed decisions of people on what waits are read. */
void services_watch_reviews(struct services *services);
/* Those in force; valid until they are read anew. */
struct guard_review service_review(const struct service *service);
/* Begins and ends rollbacks, as their documents and the breakers say. */
void services_watch_rollbacks(struct services *services, uint64_t now_ms);
/* The model of a kept generation, with the decisions of now; the caller frees it. GUARD_E_RANGE: it
 * isn't kept. Costs as much as learning. */
GUARD_MUST_USE enum guard_rc service_model_of(struct services *services, struct service *service,
                                              uint64_t generation, struct guard_model **out,
                                              struct guard_err *err);
/* growth.c: the model becomes that of the service; of what is new in it too much is held. */
void service_take_model(struct services *services, struct service *service,
                        struct guard_model *model, uint64_t now_ms);
/* An empty pile of the service. */
GUARD_MUST_USE enum guard_rc service_new_pile(const struct service *service,
                                              struct guard_pile **out, struct guard_err *err);
/* Saves all that the store has of it (inside a transaction). */
GUARD_MUST_USE enum guard_rc service_save_whole(struct services *services, struct service *service,
                                                struct guard_err *err);
/* All that was learned is dropped, here and in the store; its name, and the number of its last
 * policy, stay, so that gates take the next one. GUARD_E_STATE: another guardd learns it. */
GUARD_MUST_USE enum guard_rc service_forget(struct services *services, struct service *service,
                                            struct guard_err *err);
/* Of one that others learn: the generations that are kept by now. */
void service_load_generations(struct services *services, struct service *service);
/* Reads what the store has of it beside the pile. */
void service_load_rest(struct services *services, struct service *service);
/* What a file's state is told apart by; never 0. */
uint64_t file_stamp(const struct stat *info);
/* Learns and publishes what is due. */
void services_publish(struct services *services, uint64_t now_ms);
/* Saves dirty piles (inside the caller's transaction). */
GUARD_MUST_USE enum guard_rc services_save(struct services *services, struct guard_err *err);
/* Marks all as saved, after the commit. */
void services_saved(struct services *services);
/* Writes piles/<service>.pile of all that changed since they were published; at the end of the
 * daemon's life. */
void services_export(struct services *services);

#endif
