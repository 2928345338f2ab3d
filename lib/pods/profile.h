/* SPDX-License-Identifier: Apache-2.0 */
/* What is kept of a workload's container: the replicas there were, the things they did and which of
 * them did each, amounts, and the judgements of people. */
#ifndef GD_PODS_PROFILE_H
#define GD_PODS_PROFILE_H

#include "base/hash.h"
#include "base/span.h"
#include "learn/intervals.h"
#include "learn/pool.h"
#include "sketch/bucket.h"
#include "sketch/kmv.h"

#include <guard/pods.h>

enum {
    GD_POD_KNOWN_MAX = 8192,
    GD_POD_REPLICAS_MAX = 2048,
    GD_POD_JUDGED_MAX = 4096, /* by people */
    GD_POD_HELD_MAX = 1024,   /* by the learner */
    GD_POD_ALONE_MAX = 1024,  /* things that one replica may bring alone */
    GD_POD_TAGS = 32,         /* replicas of a thing: exact below that */
    GD_POD_VARIETY = 16,      /* different addresses of a prefix, ... */
    GD_POD_STARTUP_MS = 60 * 1000,
    GD_POD_DAY_MS = 24 * 3600 * 1000,
    GD_POD_KEYS = 4, /* of one feature at most */
    GD_POD_DNS_PORT = 53,
    GD_POD_SENDERS = 3,       /* replicas that sent most to a destination */
    GD_POD_VOLUMES_MIN = 100, /* intervals that tell how much is usual */
    GD_POD_FLOWS_MAX = 16,    /* places of a replica that are followed */
    GD_POD_WINDOWS = 18,      /* of ten minutes: an hour, and the two before it */
};

/* How a thing is named: a destination is known by any of its names. */
enum gd_pod_aspect {
    GD_POD_WHOLE = 0,    /* the thing itself; of a destination its address and port */
    GD_POD_NAMED = 1,    /* by name and port */
    GD_POD_GROUP = 2,    /* by prefix and port; the name without its first label */
    GD_POD_ANYWHERE = 3, /* by port alone */
    GD_POD_ASPECTS = 4
};

/* What a thing is told by; the hash of it is its identity. */
struct gd_pod_key {
    uint64_t hash;
    uint8_t kind;
    uint8_t aspect;
    bool startup;
    uint8_t address_len;
    uint8_t transport;
    uint16_t port;
    uint32_t user;
    /* Which of the different ones that a group stands for; of an address that DNS gave a name
     * gd_pod_name_link. 0: none. */
    uint32_t variant;
    uint8_t address[16];
    uint16_t text_len;
    uint16_t detail_len;
    uint8_t text[GUARD_POD_TEXT_MAX];
    uint8_t detail[GUARD_POD_TEXT_MAX];
};

/* The most that a replica ever sent to a destination in a minute. */
struct gd_pod_sender {
    uint32_t tag;
    uint64_t bytes;
};

struct gd_pod_entry {
    uint64_t hash;
    uint64_t first_ms;
    uint64_t last_ms;
    uint64_t count;
    uint64_t told_ms; /* it was told that one replica does it alone */
    bool normal;      /* was seen in so many replicas that it became normal */
    bool startup;
    uint8_t kind;
    uint8_t aspect;
    uint8_t address_len;
    uint8_t transport;
    uint8_t tag_count;
    uint8_t variety_count;
    uint16_t port;
    uint16_t text_len;
    uint16_t detail_len;
    uint32_t user;
    uint8_t address[16];
    uint32_t tags[GD_POD_TAGS];
    uint32_t variety[GD_POD_VARIETY];
    uint8_t sender_count;
    struct gd_pod_sender senders[GD_POD_SENDERS]; /* the one that sent most first */
    uint64_t volumes; /* intervals in which it is known how much was sent */
    uint8_t *text;    /* then detail */
};

struct gd_pod_case;

enum { GD_POD_FLOW_ALL, GD_POD_FLOW_PLACE, GD_POD_FLOW_KINDS };

/* What a replica sends to a place, or in all. */
struct gd_pod_flow {
    uint64_t hash;                /* of the place's entry; 0: in all */
    uint64_t bytes;               /* in the window that is open */
    uint8_t past[GD_POD_WINDOWS]; /* buckets of those before, the last first */
};

/* Of the last hours, in memory only. */
struct gd_pod_flows {
    uint64_t window;                        /* that is open */
    uint32_t covered_ms[GD_POD_FLOW_KINDS]; /* of it */
    uint32_t known[GD_POD_FLOW_KINDS];      /* bit i: past[i] */
    uint32_t count;
    struct gd_pod_flow items[GD_POD_FLOWS_MAX];
};

struct gd_pod_replica {
    uint32_t tag;     /* of its pod's name */
    uint32_t covered; /* kinds that some sensor sees */
    uint64_t first_ms;
    uint64_t last_ms;
    uint64_t started_ms;
    uint64_t named_ms; /* of the record that its names are from */
    uint64_t records;
    uint64_t incomplete;
    uint64_t days; /* bit i: it was seen on day_last - i */
    uint32_t day_last;
    uint32_t rates_known;
    uint64_t rates_ms;
    uint32_t rates[GUARD_POD_AMOUNTS]; /* per minute, of its last record */
    uint16_t pod_len, hash_len, image_len, node_len;
    uint8_t *text;              /* pod, hash, image, node */
    struct gd_pod_case *open;   /* not a part of the profile; NULL: none */
    struct gd_pod_flows *flows; /* likewise */
    uint32_t alone;             /* entries that have no other tag; follows from them */
};

struct gd_pod_judged {
    uint64_t id;
    uint64_t time_ms;
    uint8_t review;
};

struct guard_pods {
    struct gd_pool pool;
    struct guard_alloc alloc;
    struct gd_hash_key key;
    uint8_t key_id[8];
    bool broken;
    uint32_t known_max;
    uint32_t replicas_max;
    uint64_t records;
    uint64_t incomplete;
    uint64_t refused;
    uint64_t first_ms;
    uint64_t last_ms;
    struct gd_intervals intervals;
    struct gd_pod_replica **replicas; /* by tag */
    uint32_t replica_count, replica_cap;
    struct gd_pod_entry **entries; /* by hash */
    uint32_t entry_count, entry_cap;
    struct gd_pod_judged *judged; /* by id */
    uint32_t judged_count, judged_cap;
    uint32_t held_count;                             /* of the judged */
    uint32_t amounts[GUARD_POD_AMOUNTS][GD_BUCKETS]; /* minutes of replicas, by amount */
    uint16_t name_space_len, workload_len, container_len;
    uint8_t names[3 * GUARD_POD_NAME_MAX];
};

struct guard_span gd_pods_name_space(const struct guard_pods *pods);
struct guard_span gd_pods_workload(const struct guard_pods *pods);
struct guard_span gd_pods_container(const struct guard_pods *pods);
struct guard_span gd_pod_name(const struct gd_pod_replica *replica);
struct guard_span gd_pod_template(const struct gd_pod_replica *replica);
struct guard_span gd_pod_image(const struct gd_pod_replica *replica);
struct guard_span gd_pod_node(const struct gd_pod_replica *replica);

/* --- profile.c --- */

uint32_t gd_pod_tag(const struct guard_pods *pods, struct guard_span pod); /* never 0 */
/* NULL: there is none; *at (may be NULL) is where it belongs. */
struct gd_pod_replica *gd_pods_find_replica(const struct guard_pods *pods, uint32_t tag,
                                            uint32_t *at);
struct gd_pod_entry *gd_pods_find(const struct guard_pods *pods, uint64_t hash, uint32_t *at);
/* The place must be that of the find. NULL: no memory. */
struct gd_pod_replica *gd_pods_add_replica(struct guard_pods *pods, uint32_t at, uint32_t tag);
struct gd_pod_entry *gd_pods_add(struct guard_pods *pods, uint32_t at,
                                 const struct gd_pod_key *key);
/* Names of the record or of another, joined as text of the pool. GUARD_E_NOMEM. */
struct gd_pod_names {
    struct guard_span pod, template_hash, image, node;
};
GUARD_MUST_USE enum guard_rc gd_pods_name(struct guard_pods *pods, struct gd_pod_replica *replica,
                                          const struct gd_pod_names *names);
enum guard_pod_review gd_pods_review(const struct guard_pods *pods, uint64_t id);
/* Whether a holds, and not b, of two on the same thing. */
bool gd_pod_outranks(const struct gd_pod_judged *a, const struct gd_pod_judged *b);
/* GUARD_E_LIMIT, GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc gd_pods_set_review(struct guard_pods *pods,
                                                const struct gd_pod_judged *judged);
/* What the verdict rests on stays out of what is normal. GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc gd_pods_hold(struct guard_pods *pods,
                                          const struct guard_pod_verdict *verdict, uint64_t now_ms);
/* Counts again what each replica does alone. */
void gd_pods_count_alone(struct guard_pods *pods);
void gd_pod_key_of(const struct gd_pod_entry *entry, struct gd_pod_key *out);
uint32_t gd_pod_replica_days(const struct gd_pod_replica *replica);
void gd_pod_replica_see(struct gd_pod_replica *replica, uint64_t days, uint32_t day_last);

/* --- keys.c --- */

/* Sets the hash that the rest of the key gives. */
void gd_pod_key_seal(const struct guard_pods *pods, struct gd_pod_key *key);
/* Of a destination's name, port and who told it: kept with its address, so that it is known later
 * what the address was called, though nobody vouched for that then. Never 0. */
uint32_t gd_pod_name_link(const struct guard_pods *pods, const struct guard_pod_feature *named,
                          struct guard_span resolver);
/* Without the name of a destination, which is the last of its keys. */
uint32_t gd_pod_nameless(const struct gd_pod_key *keys, uint32_t count);
/* What a feature is told by, without what changes from time to time: numbers and random names in
 * paths. Returns how many keys, the narrowest first; 0: it can't be known. */
uint32_t gd_pod_keys(const struct guard_pods *pods, const struct guard_pod_feature *feature,
                     bool startup, struct gd_pod_key out[GD_POD_KEYS]);
bool gd_pod_startup(uint64_t started_ms, const struct guard_pod_feature *feature);
/* From an entry or key back to what is shown. Its spans borrow. */
struct guard_pod_feature gd_pod_entry_feature(const struct gd_pod_entry *entry);

/* --- amounts.c --- */

/* Of a record, per minute or request; UINT32_MAX at most. False: it isn't known. */
bool gd_pod_amount(const struct guard_pod_record *record, uint32_t amount, uint32_t *value);
/* A hard sign cuts an interval short: what was done in a moment says nothing of a minute. */
bool gd_pod_tells_minutes(const struct guard_pod_record *record);
bool gd_pod_has_amounts(const struct guard_pod_record *record);
void gd_pods_learn_amounts(struct guard_pods *pods, struct gd_pod_replica *replica,
                           const struct guard_pod_record *record);
/* Minutes of all replicas in which it was as much, and of how many; false: it isn't unusual among
 * its peers of now, or there are too few. */
bool gd_pods_amount_unusual(const struct guard_pods *pods, const struct gd_pod_replica *replica,
                            uint32_t amount, uint32_t value, uint64_t live_since_ms,
                            uint64_t *as_much, uint64_t *minutes);

/* --- volumes.c --- */

/* Bytes of a minute that the feature of the record sent; 0: not known, or the interval is too short
 * to say. */
uint64_t gd_pod_volume(const struct guard_pod_record *record,
                       const struct guard_pod_feature *feature);
/* Learns that the replica sent so much. Of replicas that sent least only the count is kept. */
void gd_pod_volume_learn(struct gd_pod_entry *entry, uint32_t tag, uint64_t volume);
void gd_pod_volumes_unite(struct gd_pod_entry *into, const struct gd_pod_entry *other,
                          bool disjoint);
/* Whether it is far more than all other replicas but one ever sent; too little known is false.
 * *with: other replicas that sent as much, *usual: what it was compared with. */
bool gd_pod_volume_unusual(const struct gd_pod_entry *entry, uint32_t tag, uint64_t volume,
                           uint32_t *with, uint64_t *usual);
/* "sends 52 MB a minute to tcp 203.0.113.9:443, usual are 1.2 MB at most". */
void gd_pod_volume_text(const struct guard_pod_feature *feature, uint64_t volume, uint64_t usual,
                        char *out, size_t size);
/* Decimal, one place at most: "4.2 MB". */
void gd_pod_bytes_text(char out[24], uint64_t bytes);
/* What people judge: how much goes there, not whether. */
uint64_t gd_pod_volume_id(const struct gd_pod_entry *entry);
/* Sorted as they are kept, each replica once. */
bool gd_pod_senders_valid(const struct gd_pod_entry *entry);

/* --- flows.c --- */

/* Far more in most windows of an hour than in those before it, and than others rose meanwhile. */
struct gd_pod_flow_finding {
    uint64_t hash;          /* 0: in all */
    uint64_t bytes, before; /* of an hour */
    uint32_t others;        /* that it was compared with */
    uint64_t most;          /* of them in that hour */
};

/* Whether the record begins another window: then the replica's hour is to be judged. */
bool gd_pod_flows_turn(struct gd_pod_replica *replica, const struct guard_pod_record *record);
/* What is unusual of the replica, from *at on; there must have been a turn. */
bool gd_pod_flow_next(const struct guard_pods *pods, const struct gd_pod_replica *replica,
                      uint32_t *at, struct gd_pod_flow_finding *out);
/* Learns how long the record is, and what it sends in all. GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc gd_pod_flows_cover(struct guard_pods *pods,
                                                struct gd_pod_replica *replica,
                                                const struct guard_pod_record *record);
/* Learns what the record sends to a place; after cover. */
void gd_pod_flow_add(struct gd_pod_replica *replica, const struct guard_pod_record *record,
                     uint64_t hash, uint64_t bytes);
/* "sent 240 MB in an hour to tcp 203.0.113.9:5432, 60 MB before, 4 others 55 MB at most"; where:
 * " to ...", or "". */
void gd_pod_flow_text(const struct gd_pod_flow_finding *finding, const char *where, char *out,
                      size_t size);

/* --- codec.c --- */

enum { GD_POD_AMOUNTS_FIRST = 7 }; /* that version 1 of the bytes knows */

/* The lowest that says it all, so that older readers take what they know. */
uint16_t gd_pods_version(const struct guard_pods *pods);
/* How many amounts that version has. */
uint32_t gd_pods_amounts_of(uint16_t version);

/* --- judge.c --- */

/* What is normal for a replica at a time; counted when it is first asked for. */
struct gd_pod_view {
    const struct guard_pods *pods;
    const struct guard_pod_rules *rules;
    const struct gd_pod_replica *replica;
    uint64_t now_ms;
    uint32_t live;                           /* other replicas that are live */
    uint32_t same;                           /* other replicas of the same template */
    uint32_t same_old;                       /* of them: those that were seen for grace_ms */
    uint32_t days[GUARD_POD_EVIDENCE_KINDS]; /* of other replicas that cover the kind */
    bool ready;
};

void gd_pod_view_init(struct gd_pod_view *view, const struct guard_pods *pods,
                      const struct guard_pod_rules *rules, const struct gd_pod_replica *replica,
                      uint64_t now_ms);
bool gd_pods_ready(const struct guard_pods *pods, const struct guard_pod_rules *rules);
/* Whether one of the keys names what is normal. */
bool gd_pod_normal(const struct guard_pods *pods, const struct guard_pod_rules *rules,
                   const struct gd_pod_key *keys, uint32_t count);
/* Whether who told the feature's name is asked by so many replicas that it is normal: a name that a
 * pod tells itself, or has told by somebody else, says nothing. True where DNS told none. */
bool gd_pod_vouched(const struct guard_pods *pods, const struct guard_pod_rules *rules,
                    const struct guard_pod_feature *feature);
/* Whether one of the keys is held, and none approved. */
bool gd_pod_held(const struct guard_pods *pods, const struct gd_pod_key *keys, uint32_t count);
/* Makes normal what the replica shares with enough others. */
void gd_pod_promote(const struct gd_pod_view *view, struct gd_pod_entry *entry);
/* Other replicas than the view's that did it. */
uint32_t gd_pod_others_with(const struct gd_pod_view *view, const struct gd_pod_entry *entry);
bool gd_pod_has_tag(const struct gd_pod_entry *entry, uint32_t tag);
double gd_pod_strength(const struct guard_pod_rules *rules, uint32_t kind, uint32_t with,
                       uint32_t days);

/* --- cases.c --- */

enum { GD_POD_CASE_MAX = GUARD_POD_EVIDENCE_MAX, GD_POD_DOORS = 64 };

struct gd_pod_case {
    uint64_t session_ms;          /* somebody debugs until then */
    uint64_t much_ms;             /* when it was told that the gate finds much; 0: never */
    uint32_t door_count;          /* ever; the last ones are kept */
    uint64_t doors[GD_POD_DOORS]; /* hashes of the ids of exchanges that deviated */
    uint32_t count;
    struct guard_pod_evidence evidence[GD_POD_CASE_MAX];
};

/* The replica's case, made if there is none. NULL: no memory. */
struct gd_pod_case *gd_pod_case_of(struct guard_pods *pods, struct gd_pod_replica *replica);
/* Adds what wasn't in it for a day, nor since its container started (0: not known). */
void gd_pod_case_add(const struct guard_pods *pods, struct gd_pod_case *into,
                     const struct guard_pod_evidence *evidence, uint64_t started_ms);
/* An exchange deviated; what is of it, and came before it to us, is fresh again. */
void gd_pod_case_request(const struct guard_pods *pods, struct gd_pod_case *into,
                         struct guard_span id);
/* Whether the evidence counts now. */
bool gd_pod_in_window(const struct gd_pod_view *view, const struct guard_pod_evidence *evidence);
/* Whether anything could be told. */
bool gd_pod_case_fresh(const struct gd_pod_case *of);
/* What follows from the case; fresh evidence isn't fresh afterwards. */
void gd_pod_case_decide(const struct gd_pod_view *view, struct gd_pod_case *from,
                        struct guard_pod_verdict *out);
void gd_pod_verdict_names(const struct guard_pods *pods, const struct gd_pod_replica *replica,
                          struct guard_pod_verdict *out);
/* Evidence of one class has one cause often. */
uint32_t gd_pod_class(uint32_t kind);
/* Whether the gate found it. */
bool gd_pod_is_door(enum guard_pod_kind kind);

/* --- findings.c --- */

/* Whether of late the gate of the view's replica found so much, at places where that of no other
 * did, that chance doesn't explain it by what the others have. */
bool gd_pod_finds_much(const struct gd_pod_view *view, const struct gd_pod_case *from);

#endif
