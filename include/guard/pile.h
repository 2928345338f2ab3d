/* SPDX-License-Identifier: Apache-2.0 */
/* Piles: the mergeable state learned from records. Merging is commutative, associative, idempotent
 * by the intervals (producer, incarnation, sequence) that a pile carries, and bounded: tables
 * overflow deterministically. See docs/internals/pile.md for the laws and their proof. */
#ifndef GUARD_PILE_H
#define GUARD_PILE_H

#include <guard/types.h>

struct guard_pile;

struct guard_pile_cfg {
    struct guard_alloc alloc;     /* must outlive the pile */
    struct guard_span service;    /* copied, 1..128 bytes */
    uint8_t key[GUARD_KEY_BYTES]; /* the service's secret: client tags and literals are hashed under
                                     it */
    /* Caps, 0 for the default; tests make them small. Piles of different caps don't merge. */
    uint32_t cells_max;    /* 49152 */
    uint32_t children_max; /* per parent and kind of name, at observation: 512 */
    uint32_t clients_max;  /* client cells: 4096 */
};

/* Where a record comes from. Sequences of one (producer, incarnation) start at 1 and grow; gaps are
 * lost records. */
struct guard_source {
    uint64_t producer;
    uint64_t incarnation;
    uint64_t sequence;
};

/* GUARD_E_NOMEM, GUARD_E_RANGE. *out is owned by the caller. */
GUARD_API GUARD_MUST_USE enum guard_rc
guard_pile_new(struct guard_pile **out, const struct guard_pile_cfg *cfg, struct guard_err *err);
GUARD_API void guard_pile_free(struct guard_pile *pile);

/* Learns one record. GUARD_E_REPLAY when the pile already holds that sequence or a later one of the
 * source: nothing changes. GUARD_E_FOREIGN for another service's record; GUARD_E_SYNTAX/VERSION for
 * what is no record; GUARD_E_LIMIT for a source too many: nothing changes either. GUARD_E_STATE for
 * a pile without its key. GUARD_E_NOMEM leaves the pile unusable for anything but free
 * (GUARD_E_STATE then). */
GUARD_API GUARD_MUST_USE enum guard_rc guard_pile_observe(struct guard_pile *pile,
                                                          const struct guard_source *source,
                                                          struct guard_span record,
                                                          struct guard_err *err);
/* The highest sequence held of a source, 0 when none: where a reader goes on after a restart. */
GUARD_API uint64_t guard_pile_position(const struct guard_pile *pile, uint64_t producer,
                                       uint64_t incarnation);

/* Whether the client, by an address prefix or subject of its own, was learned from in an epoch
 * before that of the time: it was there before what began then. client: as a record's head has it.
 */
struct guard_client;
GUARD_API bool guard_pile_tenured(const struct guard_pile *pile, const struct guard_client *client,
                                  uint64_t time_ms);

enum guard_merge { GUARD_MERGE_ADDED, GUARD_MERGE_CONTAINED, GUARD_MERGE_REPLACED };
/* Adds other to into. CONTAINED: into held all of it already; REPLACED: other holds all of into,
 * which became a copy of it. Of two piles with the same intervals the one with the higher basis
 * stays. outcome may be NULL. Refusals change nothing: GUARD_E_FOREIGN (service or key),
 * GUARD_E_VERSION (caps), GUARD_E_OVERLAP (partial), GUARD_E_STATE (the pile with the lower basis
 * was cut by a merge already: what the other protects may be lost), GUARD_E_LIMIT (too many
 * intervals). GUARD_E_NOMEM leaves `into` unusable for anything but free (GUARD_E_STATE then). */
GUARD_API GUARD_MUST_USE enum guard_rc guard_pile_merge(struct guard_pile *into,
                                                        const struct guard_pile *other,
                                                        enum guard_merge *outcome,
                                                        struct guard_err *err);

/* Who sent a pile, as far as that is known for sure. */
struct guard_share {
    const uint64_t *producers; /* for whose records it may speak; borrowed */
    uint32_t producer_count; /* 0: for anybody's. Then the caller sees to it that no two shares name
                                one producer */
    uint64_t now_ms;         /* 0: not known */
    bool whole; /* the sender is believed: only its producers and times are checked, and
                   it protects nothing */
};
/* Makes a share of a pile that somebody else made: whatever stands in it, merged with others it
 * counts no more than fewer than four clients do, for at most 1024 records of each and epoch; it
 * protects nothing, has an eighth of the tree, and one epoch for each slot of time. A local act, as
 * observing; shares merge among themselves by the laws of piles. Refusals change nothing:
 * GUARD_E_FOREIGN (records of another producer), GUARD_E_RANGE (of a time to come, or counts,
 * clients and epochs that don't add up), GUARD_E_LIMIT (overflowed tables), GUARD_E_STATE.
 * GUARD_E_NOMEM leaves the pile unusable for anything but free. */
GUARD_API GUARD_MUST_USE enum guard_rc
guard_pile_admit(struct guard_pile *pile, const struct guard_share *share, struct guard_err *err);

/* For who passes piles on. The ledger, a pile of its own, remembers which records came, and nothing
 * else of them: CONTAINED: all of other's came before. When it is full it forgets the oldest.
 * GUARD_E_OVERLAP: some came, others didn't; GUARD_E_LIMIT, GUARD_E_NOMEM, GUARD_E_STATE: nothing
 * changes. */
GUARD_API GUARD_MUST_USE enum guard_rc guard_pile_hold(struct guard_pile *ledger,
                                                       const struct guard_pile *other,
                                                       enum guard_merge *outcome,
                                                       struct guard_err *err);
/* All its records are the source's from here on, numbered from its sequence. Whoever does so sees
 * to it that none of them reaches the same pile under another name. */
GUARD_API void guard_pile_relabel(struct guard_pile *pile, const struct guard_source *source);

/* Protects from being pushed out of full tables what has the support of that many clients (1..4) in
 * at least two epochs now; what was protected before and isn't any more loses it. The set is the
 * pile's basis, with a generation that grows when the set changes. A local act, as observing: call
 * it whenever a policy is made from the pile. GUARD_E_RANGE, GUARD_E_STATE. */
GUARD_API GUARD_MUST_USE enum guard_rc guard_pile_protect(struct guard_pile *pile, uint32_t support,
                                                          struct guard_err *err);

/* Forgets what was only seen before the epochs that the pile still tells apart (about two weeks of
 * traffic), protected cells apart, and the intervals of that time. Merging and observing never do
 * this by themselves. GUARD_E_STATE. */
GUARD_API GUARD_MUST_USE enum guard_rc guard_pile_forget(struct guard_pile *pile,
                                                         struct guard_err *err);

/* The canonical bytes: equal piles give equal bytes, and nothing of the pile changes. *out comes
 * from the pile's alloc. GUARD_E_NOMEM, GUARD_E_STATE. */
GUARD_API GUARD_MUST_USE enum guard_rc
guard_pile_encode(const struct guard_pile *pile, uint8_t **out, size_t *len, struct guard_err *err);
/* cfg gives alloc and, to go on observing, service and key (checked: GUARD_E_FOREIGN). With
 * cfg->service.len == 0 the service is taken from the bytes and the pile can be merged, encoded and
 * learned from, not observed into (GUARD_E_STATE). Hostile input: GUARD_E_SYNTAX, GUARD_E_VERSION,
 * GUARD_E_CHECKSUM, GUARD_E_LIMIT, GUARD_E_NOMEM. */
GUARD_API GUARD_MUST_USE enum guard_rc guard_pile_decode(struct guard_pile **out,
                                                         const struct guard_pile_cfg *cfg,
                                                         struct guard_span bytes,
                                                         struct guard_err *err);

/* Records first..last of a source, of which count are held. */
struct guard_interval {
    uint64_t producer;
    uint64_t incarnation;
    uint64_t first;
    uint64_t last;
    uint64_t count;
};
/* The index-th interval that the pile is made of; false behind the last (see
 * guard_pile_stats.intervals). */
GUARD_API bool guard_pile_interval(const struct guard_pile *pile, uint32_t index,
                                   struct guard_interval *out);

struct guard_pile_stats {
    struct guard_span service;
    uint8_t key_id[8];
    uint64_t exchanges;  /* records held */
    uint64_t lost;       /* gaps inside the intervals */
    uint64_t clients;    /* estimate of distinct units */
    uint64_t anonymous;  /* records without client */
    uint64_t unlearned;  /* records that were blocked or refused by the service: only counted */
    uint64_t generation; /* of the basis, 0: nothing is protected */
    uint32_t epochs;
    uint32_t cells;
    uint32_t intervals;
    bool overflowed;
    uint64_t first_ms, last_ms;
    size_t memory; /* bytes taken from alloc */
};
GUARD_API void guard_pile_stats(const struct guard_pile *pile, struct guard_pile_stats *out);

#endif
