/* SPDX-License-Identifier: Apache-2.0 */
/* What survives: the services with their keys and piles, and how far each ring was read, saved
 * together in one transaction so that nothing is lost or counted twice after a kill. A database
 * behind an interface that knows nothing of SQL: docs/adr/0014-stores.md */
#ifndef GUARDD_STORE_H
#define GUARDD_STORE_H

#include <guard/types.h>

struct store;

/* Opens or makes the database (migrations, integrity check) where it says: "PATH" or "sqlite:PATH"
 * is a file for one guardd, "postgresql://..." a database that several may share, each under a node
 * name of its own. A damaged file is put aside as PATH.damaged-TIME and a new one made: *damaged
 * tells. GUARD_E_IO, GUARD_E_VERSION (written by a newer guardd), GUARD_E_RANGE (where is none, or
 * holds a password). */
GUARD_MUST_USE enum guard_rc store_open(struct store **out, const char *where, const char *node,
                                        bool *damaged, struct guard_err *err);
void store_close(struct store *store);

/* Saves between begin and commit happen together or not at all. */
GUARD_MUST_USE enum guard_rc store_begin(struct store *store, struct guard_err *err);
GUARD_MUST_USE enum guard_rc store_commit(struct store *store, struct guard_err *err);
void store_rollback(struct store *store);

struct store_service {
    struct guard_span name;
    uint8_t key[GUARD_KEY_BYTES];
    uint64_t generation;
    struct guard_span pile; /* encoded; empty while there is none */
};
GUARD_MUST_USE enum guard_rc
store_save_service(struct store *store, const struct store_service *service, struct guard_err *err);
/* Calls take for each service; its spans live until take returns. take's failure stops and is
 * returned. */
GUARD_MUST_USE enum guard_rc
store_load_services(struct store *store,
                    enum guard_rc (*take)(void *ctx, const struct store_service *service),
                    void *ctx, struct guard_err *err);

/* GUARD_E_VERSION, in words for people, when this program doesn't read piles of that version: its
 * store is another guardd's then. Damage is no matter of this. */
GUARD_MUST_USE enum guard_rc store_check_pile(struct guard_span service, struct guard_span pile,
                                              struct guard_err *err);

/* The pile behind a policy that was published. */
struct store_generation {
    struct guard_span service;
    uint64_t number;
    uint64_t created_ms;
    uint64_t exchanges;
    struct guard_span pile; /* encoded; empty where only the rest is told */
};
GUARD_MUST_USE enum guard_rc store_save_generation(struct store *store,
                                                   const struct store_generation *generation,
                                                   struct guard_err *err);
/* GUARD_OK also when it isn't there. */
GUARD_MUST_USE enum guard_rc store_drop_generation(struct store *store, struct guard_span service,
                                                   uint64_t number, struct guard_err *err);
/* Calls take for each generation of the service, oldest first, without its pile. */
GUARD_MUST_USE enum guard_rc
store_list_generations(struct store *store, struct guard_span service,
                       void (*take)(void *ctx, const struct store_generation *generation),
                       void *ctx, struct guard_err *err);
/* Calls take once with the pile. GUARD_E_RANGE when there is no such generation; else take's
 * result. */
GUARD_MUST_USE enum guard_rc store_load_generation(
    struct store *store, struct guard_span service, uint64_t number,
    enum guard_rc (*take)(void *ctx, struct guard_span pile, struct guard_err *err), void *ctx,
    struct guard_err *err);

struct store_revision {
    struct guard_span text;
    uint64_t seen_ms;
    uint64_t until_ms;
};
/* These replace all that were saved of the service; the oldest first. */
GUARD_MUST_USE enum guard_rc store_save_revisions(struct store *store, struct guard_span service,
                                                  const struct store_revision *revisions,
                                                  uint32_t count, struct guard_err *err);
/* Calls take for each, the oldest first; its text lives until take returns. */
GUARD_MUST_USE enum guard_rc
store_list_revisions(struct store *store, struct guard_span service,
                     void (*take)(void *ctx, const struct store_revision *revision), void *ctx,
                     struct guard_err *err);

GUARD_MUST_USE enum guard_rc store_save_position(struct store *store, const char *ring,
                                                 uint64_t incarnation, uint64_t sequence,
                                                 struct guard_err *err);
/* Of a ring whose file is gone: what comes under its name is another ring. */
GUARD_MUST_USE enum guard_rc store_forget_position(struct store *store, const char *ring,
                                                   struct guard_err *err);
/* GUARD_OK with zeros when the ring is unknown. */
GUARD_MUST_USE enum guard_rc store_load_position(struct store *store, const char *ring,
                                                 uint64_t *incarnation, uint64_t *sequence,
                                                 struct guard_err *err);

/* --- of nodes of a tree (docs/adr/0013) --- */

/* From here on a commit that returned survives a power cut, too: others were told of it. */
GUARD_MUST_USE enum guard_rc store_durable(struct store *store, struct guard_err *err);

/* Small values by kind and name: positions of deltas, who a producer belongs to. */
GUARD_MUST_USE enum guard_rc store_save_note(struct store *store, const char *kind,
                                             struct guard_span name, struct guard_span value,
                                             struct guard_err *err);
/* GUARD_OK also when it isn't there. */
GUARD_MUST_USE enum guard_rc store_drop_note(struct store *store, const char *kind,
                                             struct guard_span name, struct guard_err *err);
/* Calls take for each of a kind, by name; spans live until take returns. take's failure stops and
 * is returned. */
GUARD_MUST_USE enum guard_rc
store_list_notes(struct store *store, const char *kind,
                 enum guard_rc (*take)(void *ctx, struct guard_span name, struct guard_span value),
                 void *ctx, struct guard_err *err);

/* Piles that were merged into a service's pile since that was saved: saving a small one is what an
 * answer waits for, the whole one is saved now and then, and drops those up to a number. */
GUARD_MUST_USE enum guard_rc store_add_delta(struct store *store, struct guard_span service,
                                             uint64_t number, struct guard_span pile,
                                             struct guard_err *err);
GUARD_MUST_USE enum guard_rc store_drop_deltas(struct store *store, struct guard_span service,
                                               uint64_t up_to, struct guard_err *err);
/* In the order of their numbers; as store_list_notes. */
GUARD_MUST_USE enum guard_rc store_list_deltas(struct store *store, struct guard_span service,
                                               enum guard_rc (*take)(void *ctx, uint64_t number,
                                                                     struct guard_span pile),
                                               void *ctx, struct guard_err *err);

/* --- counts of exchanges by time (guardd/history.h) --- */

/* Bytes for a moment (Unix time in seconds): what this guardd counted, and that part of it which
 * its parent wasn't told. */
enum store_history { STORE_HISTORY_OWN, STORE_HISTORY_UNTOLD };
typedef enum guard_rc store_take_counts(void *ctx, uint64_t at_s, struct guard_span counts);
/* Calls take when there are some. */
GUARD_MUST_USE enum guard_rc store_load_history(struct store *store, enum store_history which,
                                                struct guard_span service, uint64_t at_s,
                                                store_take_counts *take, void *ctx,
                                                struct guard_err *err);
GUARD_MUST_USE enum guard_rc store_save_history(struct store *store, enum store_history which,
                                                struct guard_span service, uint64_t at_s,
                                                struct guard_span counts, struct guard_err *err);
/* Those of all guardds of the database, since <= at < until, in the order of time. */
GUARD_MUST_USE enum guard_rc store_list_history(struct store *store, struct guard_span service,
                                                uint64_t since_s, uint64_t until_s,
                                                store_take_counts *take, void *ctx,
                                                struct guard_err *err);
/* Those before a moment that stand at no full hour; and drops them. */
GUARD_MUST_USE enum guard_rc store_list_fine_history(struct store *store, enum store_history which,
                                                     struct guard_span service, uint64_t before_s,
                                                     store_take_counts *take, void *ctx,
                                                     struct guard_err *err);
GUARD_MUST_USE enum guard_rc store_drop_fine_history(struct store *store, enum store_history which,
                                                     struct guard_span service, uint64_t before_s,
                                                     struct guard_err *err);
/* The oldest 64 that the parent wasn't told; and drops those up to a moment. */
GUARD_MUST_USE enum guard_rc store_list_untold_history(struct store *store,
                                                       struct guard_span service,
                                                       store_take_counts *take, void *ctx,
                                                       struct guard_err *err);
GUARD_MUST_USE enum guard_rc store_drop_untold_history(struct store *store,
                                                       struct guard_span service, uint64_t up_to_s,
                                                       struct guard_err *err);
/* All that is older, of all guardds. */
GUARD_MUST_USE enum guard_rc store_drop_history(struct store *store, struct guard_span service,
                                                uint64_t before_s, struct guard_err *err);
/* A note that only grows: *raised tells whether it was less, or not there, before. */
GUARD_MUST_USE enum guard_rc store_raise_note(struct store *store, const char *kind,
                                              struct guard_span name, uint64_t value, bool *raised,
                                              struct guard_err *err);
/* Drops those of the kind that are less. */
GUARD_MUST_USE enum guard_rc store_drop_low_notes(struct store *store, const char *kind,
                                                  uint64_t value, struct guard_err *err);

/* --- of a database that several guardds share (docs/adr/0014-stores.md) --- */

bool store_shared(const struct store *store);
/* Another number for each connection; 0 while there is none. What was claimed through another one
 * isn't held any more. */
uint64_t store_session(const struct store *store);
/* Inside a transaction: what became of the last one in which this was asked, if the answer to its
 * commit never came. Told once. */
enum store_outcome {
    STORE_CERTAIN, /* there was none */
    STORE_DONE,
    STORE_UNDONE,
};
enum store_outcome store_take_outcome(struct store *store);

/* Becomes the learner of the service if no other guardd is it, as long as the connection lives.
 * *fence: the number that store_confirm wants, one more than the last learner's; 0: somebody else
 * is it. */
GUARD_MUST_USE enum guard_rc store_claim(struct store *store, struct guard_span service,
                                         uint64_t *fence, struct guard_err *err);
/* Inside a transaction: nobody became the learner since. GUARD_E_STATE: somebody did, and nothing
 * of the service but feeds may be saved. */
GUARD_MUST_USE enum guard_rc store_confirm(struct store *store, struct guard_span service,
                                           uint64_t fence, struct guard_err *err);
/* The service becomes known under the key if it isn't yet; key becomes the one that it has. */
GUARD_MUST_USE enum guard_rc store_service_key(struct store *store, struct guard_span service,
                                               uint8_t key[GUARD_KEY_BYTES], struct guard_err *err);
/* Calls take once, without one when there is no such service. */
GUARD_MUST_USE enum guard_rc
store_load_service(struct store *store, struct guard_span service,
                   enum guard_rc (*take)(void *ctx, const struct store_service *service), void *ctx,
                   struct guard_err *err);

/* What guardds that aren't the learner took in, for the learner to merge. */
struct store_feed {
    struct guard_span service;
    struct guard_span node; /* of the sender: of saving, it is the store's own */
    uint64_t number;
    struct guard_span pile;
    uint64_t taken; /* of saving: the fence of the learner, which has merged it already; 0: nobody
                       has */
};
GUARD_MUST_USE enum guard_rc store_save_feed(struct store *store, const struct store_feed *feed,
                                             struct guard_err *err);
/* Calls take for each of the service that the learner of that fence hasn't taken, at most 64. */
GUARD_MUST_USE enum guard_rc
store_list_feeds(struct store *store, struct guard_span service, uint64_t fence,
                 enum guard_rc (*take)(void *ctx, const struct store_feed *feed), void *ctx,
                 struct guard_err *err);
/* Calls take with the name of each service that has some that its learner hasn't taken. */
GUARD_MUST_USE enum guard_rc
store_list_fed(struct store *store, enum guard_rc (*take)(void *ctx, struct guard_span service),
               void *ctx, struct guard_err *err);
/* The learner of that fence (confirmed in the same transaction) has merged it. It stays, for the
 * next learner, until the pile is saved: then all that were taken are dropped. */
GUARD_MUST_USE enum guard_rc store_take_feed(struct store *store, const struct store_feed *feed,
                                             uint64_t fence, struct guard_err *err);
GUARD_MUST_USE enum guard_rc store_drop_taken(struct store *store, struct guard_span service,
                                              uint64_t fence, struct guard_err *err);

/* The policy that the learner published last, for the gates of the others. */
GUARD_MUST_USE enum guard_rc store_save_policy(struct store *store, struct guard_span service,
                                               uint64_t generation, struct guard_span policy,
                                               bool ready, struct guard_err *err);
struct store_policy {
    struct guard_span service;
    uint64_t generation; /* 0: none is saved yet */
    bool ready;          /* what it was made of */
};
/* Calls take for each service that is known. */
GUARD_MUST_USE enum guard_rc
store_list_policies(struct store *store,
                    enum guard_rc (*take)(void *ctx, const struct store_policy *policy), void *ctx,
                    struct guard_err *err);
/* As store_load_generation. */
GUARD_MUST_USE enum guard_rc
store_load_policy(struct store *store, struct guard_span service,
                  enum guard_rc (*take)(void *ctx, struct guard_span policy, struct guard_err *err),
                  void *ctx, struct guard_err *err);

/* Roots of one tree (docs/adr/0013). Producers (names of 16 digits, separated by commas) become the
 * reporter's where they are nobody's; take is told whose each of them is. At once, outside of
 * transactions. */
GUARD_MUST_USE enum guard_rc store_bind_producers(
    struct store *store, struct guard_span names, struct guard_span reporter,
    enum guard_rc (*take)(void *ctx, struct guard_span name, struct guard_span reporter), void *ctx,
    struct guard_err *err);
/* What a reporter told one root, for the others; kept for five minutes. */
struct store_told {
    struct guard_span service;
    struct guard_span reporter;
    struct guard_span document;
    uint64_t age_ms; /* of reading */
};
GUARD_MUST_USE enum guard_rc store_save_told(struct store *store, const struct store_told *told,
                                             struct guard_err *err);
/* Calls take for what others were told since *moment (0: all that is kept), at most 1,024; *moment
 * becomes what to ask from next time. What has come already may come again. */
GUARD_MUST_USE enum guard_rc store_list_told(struct store *store, uint64_t *moment,
                                             enum guard_rc (*take)(void *ctx,
                                                                   const struct store_told *told),
                                             void *ctx, struct guard_err *err);
GUARD_MUST_USE enum guard_rc store_drop_told(struct store *store, struct guard_err *err);
/* All that is kept of the service, which names clients. At once, outside of transactions; nothing
 * where the store isn't shared. */
GUARD_MUST_USE enum guard_rc store_forget_told(struct store *store, struct guard_span service,
                                               struct guard_err *err);
/* What people decided, a small file of each kind and service, each change under the next revision.
 */
struct store_document {
    const char *kind;
    struct guard_span service;
    uint64_t revision;         /* from 1 */
    struct guard_span content; /* ptr NULL: it was removed */
};
/* Who changed it, when and why. */
struct store_change {
    const char *kind;
    uint64_t revision;
    struct guard_span node;
    struct guard_span who;
    struct guard_span why;
    uint64_t time_ms;
    bool removed;
};
/* Inside a transaction. keep: whether the history has the content, too. GUARD_E_STATE: the one that
 * is saved hasn't the revision before. */
GUARD_MUST_USE enum guard_rc store_save_document(struct store *store,
                                                 const struct store_document *document,
                                                 const struct store_change *change, bool keep,
                                                 struct guard_err *err);
/* Calls take for each, without contents. */
GUARD_MUST_USE enum guard_rc
store_list_documents(struct store *store,
                     enum guard_rc (*take)(void *ctx, struct guard_span kind,
                                           struct guard_span service, uint64_t revision),
                     void *ctx, struct guard_err *err);
/* Calls take once, without content when it was removed; not at all when there is none. */
GUARD_MUST_USE enum guard_rc
store_load_document(struct store *store, const char *kind, struct guard_span service,
                    enum guard_rc (*take)(void *ctx, uint64_t revision, struct guard_span content),
                    void *ctx, struct guard_err *err);
/* *revision: the last one after that with this content, as far as the history goes; 0: none. */
GUARD_MUST_USE enum guard_rc store_find_document(struct store *store, const char *kind,
                                                 struct guard_span service, uint64_t after,
                                                 struct guard_span content, uint64_t *revision,
                                                 struct guard_err *err);
/* Calls take for each change of the service, the newest first, at most 200. */
GUARD_MUST_USE enum guard_rc
store_list_changes(struct store *store, struct guard_span service,
                   enum guard_rc (*take)(void *ctx, const struct store_change *change), void *ctx,
                   struct guard_err *err);

/* Records of pods that one root took in and another one may learn: bytes as
 * guardd/pods/backlog_row.h has them, of one service. Inside a transaction. */
GUARD_MUST_USE enum guard_rc store_add_pod_records(struct store *store, struct guard_span service,
                                                   struct guard_span bytes, struct guard_err *err);
/* Calls take for each service of which some wait. */
GUARD_MUST_USE enum guard_rc store_count_pod_records(struct store *store,
                                                     void (*take)(void *ctx,
                                                                  struct guard_span service,
                                                                  uint64_t rows, uint64_t bytes),
                                                     void *ctx, struct guard_err *err);
enum { STORE_POD_ROWS_MAX = 512 }; /* that can be named at once */
struct store_pod_records {
    uint64_t number;
    uint64_t time_ms; /* by the database's clock, when they came */
    struct guard_span bytes;
};
/* Calls take for some of the service that aren't among those known, in the order of their numbers:
 * what somebody sent after it was told of something else has a higher one. take's failure stops and
 * is returned. */
GUARD_MUST_USE enum guard_rc
store_list_pod_records(struct store *store, struct guard_span service, const uint64_t *known,
                       uint32_t count,
                       enum guard_rc (*take)(void *ctx, const struct store_pod_records *records),
                       void *ctx, struct guard_err *err);
/* Inside a transaction. */
GUARD_MUST_USE enum guard_rc store_drop_pod_records(struct store *store, struct guard_span service,
                                                    const uint64_t *numbers, uint32_t count,
                                                    struct guard_err *err);
/* Of shared databases. Calls take with the note's value, if there is one. */
GUARD_MUST_USE enum guard_rc
store_read_note(struct store *store, const char *kind, struct guard_span name,
                enum guard_rc (*take)(void *ctx, struct guard_span value), void *ctx,
                struct guard_err *err);
/* Calls take with the name of the guardd that learns the service, if one does. */
GUARD_MUST_USE enum guard_rc store_learner(struct store *store, struct guard_span service,
                                           enum guard_rc (*take)(void *ctx, struct guard_span node),
                                           void *ctx, struct guard_err *err);

/* Drops all that is saved of the service (inside a transaction). */
GUARD_MUST_USE enum guard_rc store_forget_service(struct store *store, struct guard_span service,
                                                  struct guard_err *err);

#endif
