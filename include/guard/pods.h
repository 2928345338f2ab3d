/* SPDX-License-Identifier: Apache-2.0 */
/* What the replicas of one workload's container normally do, and what is to be done about one that
 * does what no other does. The replica is the unit: what one of N does alone is never normal by
 * itself, however often it does it. docs/internals/pod-learning.md */
#ifndef GUARD_PODS_H
#define GUARD_PODS_H

#include <guard/pod.h>
#include <guard/verdict.h>

struct guard_pods; /* the profile of (namespace, workload, container) */

struct guard_pods_cfg {
    struct guard_alloc alloc; /* must outlive it */
    struct guard_span name_space;
    struct guard_span workload;
    struct guard_span container;  /* all three are copied */
    uint8_t key[GUARD_KEY_BYTES]; /* of the service: nobody else can choose what collides */
    uint32_t known_max;           /* things known, 0: 8192 */
    uint32_t replicas_max;        /* 0: 2048 */
};

/* GUARD_E_NOMEM, GUARD_E_RANGE. */
GUARD_API GUARD_MUST_USE enum guard_rc
guard_pods_new(struct guard_pods **out, const struct guard_pods_cfg *cfg, struct guard_err *err);
GUARD_API void guard_pods_free(struct guard_pods *pods);

/* --- rules of the decision --- */

/* Evidence of amounts stands behind the kinds of features. */
enum {
    GUARD_POD_AMOUNT = GUARD_POD_KINDS,     /* of all that the pod does */
    GUARD_POD_VOLUME = GUARD_POD_KINDS + 1, /* of what it sends to one destination */
    GUARD_POD_EVIDENCE_KINDS = GUARD_POD_KINDS + 2
};

/* What is compared with peers: the rates of records per minute, and what follows from them. */
enum {
    GUARD_POD_BYTES_PER_REQUEST = GUARD_POD_RATES, /* CALLS_OUT for each of REQUESTS */
    GUARD_POD_AMOUNTS = GUARD_POD_RATES + 1
};
/* The rate's name, or "bytes out per request"; never NULL. */
GUARD_API const char *guard_pod_amount_name(uint32_t amount);

/* What counts as two kinds of evidence that are independent of each other. */
enum guard_pod_independence {
    /* What the gate saw, and what a sensor at the pod saw: one new program makes a process, a file
     * and a connection at once, and these are one cause. Both belong together by the id of the
     * exchange, and the sensor must have seen another kind, too. */
    GUARD_POD_OBSERVERS = 0,
    /* Any two of process, network, file, amount and gate. */
    GUARD_POD_CLASSES = 1,
};

struct guard_pod_rules {
    double weights[GUARD_POD_EVIDENCE_KINDS];
    double alert_at;         /* least strength of evidence that is told */
    double replace_at;       /* least sum of strengths of soft evidence for a replacement */
    uint32_t hard_kinds;     /* bit per kind that acts alone */
    uint32_t window_ms;      /* evidence that is this close together is one case */
    uint32_t live_ms;        /* a replica is live so long after its last record */
    uint32_t learn_ms;       /* least time of learning */
    uint32_t learn_replicas; /* least replicas, or days of replicas, learned from */
    uint32_t settle_ms;      /* least age of what becomes normal by being seen in many */
    uint32_t grace_ms; /* of a template hash: what is new in it is a change until it is that old */
    enum guard_pod_independence independence;
};
GUARD_API void guard_pod_rules_default(struct guard_pod_rules *out);
/* GUARD_E_RANGE, and err names the member. */
GUARD_API GUARD_MUST_USE enum guard_rc guard_pod_rules_check(const struct guard_pod_rules *rules,
                                                             struct guard_err *err);

/* --- verdicts --- */

enum guard_pod_decision {
    GUARD_POD_NORMAL = 0,  /* nothing that wasn't told before */
    GUARD_POD_ALERT = 1,   /* tell */
    GUARD_POD_CHANGE = 2,  /* two replicas or more do the same new thing: stop, and tell */
    GUARD_POD_REPLACE = 3, /* this replica alone is misused */
};

/* Why it isn't more than an alert: a bit each. */
enum {
    GUARD_POD_LEARNING = 1,     /* too little was learned */
    GUARD_POD_LONELY = 2,       /* there is no other replica to compare with */
    GUARD_POD_NEW_TEMPLATE = 4, /* a rollout: no other of this template is old enough */
    GUARD_POD_IN_SESSION = 8,   /* somebody debugs in it */
    GUARD_POD_ONE_KIND = 16,    /* no second, independent kind of evidence */
    GUARD_POD_WEAK = 32,        /* the sum is too small */
    GUARD_POD_SHARED = 64,      /* others do it too */
    GUARD_POD_RETURNED = 128,   /* a replica was to be replaced for it, and another does it now */
};

enum { GUARD_POD_NAMES = 3 };

struct guard_pod_evidence {
    uint64_t id;                     /* of what is known, for guard_pods_judge */
    uint64_t names[GUARD_POD_NAMES]; /* all that it is known by, the id too; 0: none */
    uint32_t kind;                   /* enum guard_pod_kind, GUARD_POD_AMOUNT or GUARD_POD_VOLUME */
    bool hard;
    bool fresh;  /* not in an earlier verdict */
    bool shared; /* another replica did it lately */
    bool session;
    bool held;       /* a replica was to be replaced for it, and nobody approved it since */
    bool door;       /* it is of an exchange that the gate found to deviate */
    double strength; /* weight * -log((with + 0.5) / (days + 1)) */
    uint32_t with;   /* other replicas that did it */
    uint32_t days;   /* days of other replicas, in which it could have been seen */
    uint64_t seen_ms;
    char text[160];                          /* what was done, printable */
    char request[GUARD_POD_REQUEST_MAX + 1]; /* the exchange it followed, or "" */
};

enum { GUARD_POD_EVIDENCE_MAX = 16 };

struct guard_pod_verdict {
    enum guard_pod_decision decision;
    uint32_t reasons;
    double score;                                               /* sum over the window */
    uint32_t others;                                            /* live replicas besides this one */
    struct guard_span name_space, workload, pod, container;     /* live until the next call */
    char request[GUARD_POD_REQUEST_MAX + 1];                    /* that opened the door, or "" */
    struct guard_pod_evidence evidence[GUARD_POD_EVIDENCE_MAX]; /* the strongest first */
    uint32_t count;
};

/* "replace", ... */
GUARD_API const char *guard_pod_decision_name(enum guard_pod_decision decision);
/* The names of the bits, as "learning, lonely"; returns the length without the NUL. */
GUARD_API size_t guard_pod_reasons_text(uint32_t reasons, char *out, size_t size);
/* One line: "REPLACE pod prod/web-7f9c-00003: runs /bin/sh by /app/server (0 of 11 others in 40
 * days, 4.4); ...; after request 5f3a". Cut to fit; returns the length without the NUL. */
GUARD_API size_t guard_pod_explain(const struct guard_pod_verdict *verdict, char *out, size_t size);

/* --- learning and judging --- */

/* Judges a record against what was known before it, then learns from it. A record with drops is
 * judged only. verdict->decision is NORMAL when there is nothing new to tell. GUARD_E_REPLAY: it
 * was learned already; GUARD_E_FOREIGN: of another workload or container; GUARD_E_LIMIT: too many
 * replicas, guard_pods_forget makes room. Nothing changes then. GUARD_E_NOMEM leaves it unusable
 * for anything but free (GUARD_E_STATE then). */
GUARD_API GUARD_MUST_USE enum guard_rc guard_pods_observe(struct guard_pods *pods,
                                                          const struct guard_pod_rules *rules,
                                                          const struct guard_pod_record *record,
                                                          struct guard_pod_verdict *verdict,
                                                          struct guard_err *err);

/* What one live replica has done alone since before there was enough to compare with: call it now
 * and then until it returns false. One replica at a time; told once. */
GUARD_API bool guard_pods_outlier(struct guard_pods *pods, const struct guard_pod_rules *rules,
                                  uint64_t now_ms, struct guard_pod_verdict *verdict);

enum guard_pod_review {
    GUARD_POD_UNJUDGED = 0,
    GUARD_POD_APPROVED = 1, /* normal from now on */
    GUARD_POD_REFUSED = 2,  /* never normal, however many do it */
    /* By the learner itself: a replica was to be replaced for it, so that however many do it
     * doesn't count until a person judges. A person's judgement holds for good. */
    GUARD_POD_HELD = 3,
};
/* By a person. Of two on the same thing the later holds. GUARD_E_LIMIT, GUARD_E_RANGE. */
GUARD_API GUARD_MUST_USE enum guard_rc guard_pods_judge(struct guard_pods *pods, uint64_t id,
                                                        enum guard_pod_review review,
                                                        uint64_t now_ms);

/* Forgets what wasn't seen since, replicas and intervals too; judgements of people stay. */
GUARD_API void guard_pods_forget(struct guard_pods *pods, uint64_t before_ms);

/* As guard_pile_merge: commutative, associative, idempotent by the intervals of records. Open cases
 * aren't merged; judgements always are. GUARD_E_FOREIGN, GUARD_E_OVERLAP, GUARD_E_LIMIT (more
 * things or replicas than there may be): nothing changes. GUARD_E_NOMEM leaves `into` unusable for
 * anything but free. */
GUARD_API GUARD_MUST_USE enum guard_rc guard_pods_merge(struct guard_pods *into,
                                                        const struct guard_pods *other,
                                                        enum guard_merge *outcome,
                                                        struct guard_err *err);
/* The canonical bytes: equal profiles give equal bytes. *out comes from the alloc. */
GUARD_API GUARD_MUST_USE enum guard_rc
guard_pods_encode(const struct guard_pods *pods, uint8_t **out, size_t *len, struct guard_err *err);
/* Hostile input: GUARD_E_SYNTAX, GUARD_E_VERSION, GUARD_E_CHECKSUM, GUARD_E_LIMIT, GUARD_E_FOREIGN
 * (of another key, or, where cfg names one, workload), GUARD_E_NOMEM. With cfg->workload.len == 0
 * names are taken from the bytes. */
GUARD_API GUARD_MUST_USE enum guard_rc guard_pods_decode(struct guard_pods **out,
                                                         const struct guard_pods_cfg *cfg,
                                                         struct guard_span bytes,
                                                         struct guard_err *err);

/* --- looking --- */

struct guard_pods_stats {
    struct guard_span name_space, workload, container;
    uint64_t records;    /* learned from */
    uint64_t incomplete; /* judged only */
    uint64_t refused;    /* things that found no place */
    uint64_t first_ms, last_ms;
    uint32_t replicas;
    uint32_t days; /* of replicas */
    uint32_t known;
    uint32_t normal; /* of them */
    uint32_t held;   /* names of what replicas were to be replaced for; from 1,024 on nothing more
                        becomes normal by itself */
    bool ready;      /* enough was learned */
};
GUARD_API void guard_pods_stats(const struct guard_pods *pods, const struct guard_pod_rules *rules,
                                struct guard_pods_stats *out);

struct guard_pod_replica {
    struct guard_span pod, template_hash, image, node;
    uint64_t first_ms, last_ms, started_ms;
    uint64_t records, incomplete;
    uint32_t blind; /* kinds that no sensor of it sees */
    uint32_t alone; /* things that only it did */
    bool live;
    uint64_t amounts_ms;                 /* when its amounts were told last */
    uint32_t amounts_known;              /* bit per amount */
    uint32_t amounts[GUARD_POD_AMOUNTS]; /* per minute; of memory bytes, per request bytes */
};
/* The index-th, false behind the last. Live are those with a record since then. */
GUARD_API bool guard_pods_replica(const struct guard_pods *pods, uint32_t index,
                                  uint64_t live_since_ms, struct guard_pod_replica *out);

struct guard_pod_known {
    uint64_t id; /* the same in all profiles with the same key */
    uint32_t kind;
    bool startup; /* in the first minute of a container */
    bool normal;
    enum guard_pod_review review;
    uint32_t replicas; /* estimated above 32 */
    uint64_t count, first_ms, last_ms;
    /* Bytes of a minute that went there at most, of the replica that sent most but one: what two
     * did. 0: not known. */
    uint64_t volume;
    char text[160];
};
GUARD_API bool guard_pods_known(const struct guard_pods *pods, uint32_t index,
                                struct guard_pod_known *out);
/* The next thing that only the replica with that index did; *at is 0 at first and goes on. False:
 * there is no more. */
GUARD_API bool guard_pods_alone(const struct guard_pods *pods, uint32_t replica, uint32_t *at,
                                struct guard_pod_known *out);

#endif
